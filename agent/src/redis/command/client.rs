//! CLIENT: what clients tell and ask of their connection.

use crate::redis::call::Call;
use crate::redis::failure::Failure;
use crate::redis::session::Answers;
use crate::redis::table::{Command, Flags, Keys};

/// The longest name: it is shown in one line.
const MAX_NAME: usize = 255;

pub(super) const COMMANDS: &[Command] =
    &[Command { name: "client", arity: -2, flags: Flags::FAST, keys: Keys::NONE, run: client }];

fn client(call: &mut Call<'_>) -> Result<(), Failure> {
    let word = call.arguments.get(1).to_ascii_lowercase();
    match (word.as_slice(), call.arguments.len()) {
        (b"id", 2) => call.reply.integer(call.session.id as i64),
        (b"getname", 2) if call.session.name.is_empty() => call.reply.null(),
        (b"getname", 2) => call.reply.bulk(&call.session.name),
        (b"setname", 3) => {
            call.session.name = checked_name(call.arguments.get(2))?;
            return call.ok();
        }
        (b"setinfo", 4) => return set_info(call),
        (b"info", 2) => {
            let line = line(call);
            call.reply.verbatim(&line);
        }
        (b"reply", 3) => return reply(call),
        // Nothing here is evicted, and no key has an age.
        (b"no-evict" | b"no-touch", 3) if call.is(2, "on") || call.is(2, "off") => return call.ok(),
        (b"tracking", 3) if call.is(2, "off") => return call.ok(),
        (
            b"id" | b"getname" | b"setname" | b"setinfo" | b"info" | b"reply" | b"no-evict" | b"no-touch" | b"tracking",
            _,
        ) => return Err(Failure::Syntax),
        _ => {
            let text = format!("ERR CLIENT {} is not supported", word.escape_ascii());
            return Err(Failure::Text(text.into()));
        }
    }
    Ok(())
}

/// A name that can be shown in a line.
pub(super) fn checked_name(name: &[u8]) -> Result<Box<[u8]>, Failure> {
    if name.len() <= MAX_NAME && name.iter().all(u8::is_ascii_graphic) {
        return Ok(name.into());
    }
    Err(Failure::text("ERR Client names cannot contain spaces, newlines or special characters."))
}

fn set_info(call: &mut Call<'_>) -> Result<(), Failure> {
    let which = match call.arguments.get(2).to_ascii_lowercase().as_slice() {
        b"lib-name" => 0,
        b"lib-ver" => 1,
        _ => return Err(Failure::text("ERR Unrecognized option")),
    };
    let value = checked_name(call.arguments.get(3));
    call.session.library[which] = value.map_err(|_| {
        Failure::text("ERR lib-name and lib-ver cannot contain spaces, newlines or special characters.")
    })?;
    call.ok()
}

fn reply(call: &mut Call<'_>) -> Result<(), Failure> {
    call.session.answers = match call.arguments.get(2).to_ascii_lowercase().as_slice() {
        b"on" => {
            call.session.answers = Answers::All;
            return call.ok();
        }
        b"off" => Answers::None,
        b"skip" => Answers::AllButNext,
        _ => return Err(Failure::Syntax),
    };
    Ok(())
}

fn line(call: &Call<'_>) -> String {
    let session = &call.session;
    let [library, version] = &session.library;
    format!(
        "id={} name={} db={} resp={} lib-name={} lib-ver={} age={}\n",
        session.id,
        session.name.escape_ascii(),
        session.database.number(),
        if call.reply.is_resp3() { 3 } else { 2 },
        library.escape_ascii(),
        version.escape_ascii(),
        session.since.elapsed().as_secs(),
    )
}
