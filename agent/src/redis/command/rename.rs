//! RENAME and COPY: a key's value, or its fields, as another key's.
//!
//! Both keys are held meanwhile, so that nobody on this pod sees half of it. A counter becomes what it amounts to: what
//! another pod adds at that moment is added to the key that there was.

use baton_replica::{Key, Listed, MAX_BATCH, Operation};
use baton_resp::parse_integer;

use crate::engine::{Range, Turn};
use crate::redis::call::Call;
use crate::redis::command::string::put;
use crate::redis::database::Database;
use crate::redis::failure::Failure;
use crate::redis::table::{Command, Flags, Keys};

pub(super) const COMMANDS: &[Command] = &[
    Command { name: "copy", arity: -3, flags: Flags::WRITE, keys: Keys::TWO, run: copy },
    Command { name: "rename", arity: 3, flags: Flags::WRITE, keys: Keys::TWO, run: rename },
    Command { name: "renamenx", arity: 3, flags: Flags::WRITE, keys: Keys::TWO, run: renamenx },
];

fn rename(call: &mut Call<'_>) -> Result<(), Failure> {
    let (from, to) = (call.key(1)?, call.key(2)?);
    call.state.turn([&from, &to], |turn| {
        if !turn.exists(&from)? {
            return Err(Failure::NoSuchKey);
        }
        if from != to {
            replicate(turn, &from, &to)?;
            turn.remove(&from)?;
        } else {
            turn.vouch(&from)?;
        }
        Ok(())
    })?;
    call.ok()
}

fn renamenx(call: &mut Call<'_>) -> Result<(), Failure> {
    let (from, to) = (call.key(1)?, call.key(2)?);
    let done = call.state.turn([&from, &to], |turn| {
        if !turn.exists(&from)? {
            return Err(Failure::NoSuchKey);
        }
        if turn.exists(&to)? {
            return Ok(false);
        }
        replicate(turn, &from, &to)?;
        turn.remove(&from)?;
        Ok(true)
    })?;
    call.reply.integer(done.into());
    Ok(())
}

/// `COPY source destination [DB number] [REPLACE]`.
fn copy(call: &mut Call<'_>) -> Result<(), Failure> {
    let (mut database, mut replace, mut at) = (call.session.database, false, 3);
    while at < call.arguments.len() {
        at += match () {
            () if call.is(at, "replace") => {
                replace = true;
                1
            }
            () if call.is(at, "db") && at + 1 < call.arguments.len() => {
                let number = parse_integer(call.arguments.get(at + 1)).ok_or(Failure::NotAnInteger)?;
                database = Database::new(number).ok_or(Failure::text("ERR DB index is out of range"))?;
                2
            }
            () => return Err(Failure::Syntax),
        };
    }
    let (from, to) = (call.key(1)?, database.key(call.arguments.get(2))?);
    if from == to {
        return Err(Failure::text("ERR source and destination objects are the same"));
    }
    let done = call.state.turn([&from, &to], |turn| {
        let wanted = turn.exists(&from)? && (replace || !turn.exists(&to)?);
        if wanted {
            replicate(turn, &from, &to)?;
        }
        Ok::<_, Failure>(wanted)
    })?;
    call.reply.integer(done.into());
    Ok(())
}

/// Makes one key what another is.
fn replicate(turn: &mut Turn<'_>, from: &Key, to: &Key) -> Result<(), Failure> {
    if let Some(read) = turn.get(from)? {
        let expires_at = read.expires_at();
        return put(turn, to, read.value, expires_at);
    }
    turn.remove(to)?;
    let mut after: Option<Vec<u8>> = None;
    loop {
        let range = Range { prefix: b"", after: after.as_deref(), limit: MAX_BATCH };
        let fields = turn.fields(from, range)?;
        let Some(last) = fields.last() else { return Ok(()) };
        after = last.key.field().map(<[u8]>::to_vec);
        for Listed { key, read } in fields {
            let field = to.with_field(key.field().unwrap_or_default())?;
            let expires_at = read.expires_at();
            turn.write(&field, Operation::Put { value: read.value, expires_at })?;
        }
    }
}
