//! What is known of a key besides its value: OBJECT, MEMORY USAGE.

use baton_replica::{Key, MAX_BATCH};

use crate::collection::type_name;
use crate::engine::{Range, Turn};
use crate::redis::call::Call;
use crate::redis::failure::Failure;
use crate::redis::table::{Command, Flags, Keys};

/// Up to this Redis keeps a text in one piece with its head.
const EMBEDDED: usize = 44;

pub(super) const COMMANDS: &[Command] = &[
    Command { name: "memory", arity: -2, flags: Flags::READ, keys: Keys::SECOND, run: memory },
    Command { name: "object", arity: -2, flags: Flags::READ, keys: Keys::SECOND, run: object },
];

fn object(call: &mut Call<'_>) -> Result<(), Failure> {
    if call.arguments.len() != 3 {
        return Err(call.wrong_arity());
    }
    let key = call.key(2)?;
    match call.arguments.get(1).to_ascii_lowercase().as_slice() {
        b"encoding" => {
            let encoding = call.state.turn([&key], |turn| encoding(turn, &key))?.ok_or(Failure::NoSuchKey)?;
            call.reply.bulk(encoding.as_bytes());
        }
        b"refcount" => {
            let exists = call.state.turn([&key], |turn| turn.exists(&key))?;
            call.reply.integer(i64::from(exists.then_some(1).ok_or(Failure::NoSuchKey)?));
        }
        b"idletime" | b"freq" => {
            return Err(Failure::text("ERR OBJECT IDLETIME and FREQ are not supported: no key has an age here"));
        }
        _ => return Err(Failure::text("ERR unknown subcommand or wrong number of arguments for 'object' command")),
    }
    Ok(())
}

/// What Redis would say of it: some clients choose by that how to read.
fn encoding(turn: &Turn<'_>, key: &Key) -> Result<Option<&'static str>, Failure> {
    if let Some(read) = turn.get(key)? {
        return Ok(Some(match read.value.body.len() {
            _ if read.value.integer().is_some() => "int",
            0..=EMBEDDED => "embstr",
            _ => "raw",
        }));
    }
    Ok(turn.first_field(key)?.map(|row| if type_name(&row.read.value) == "zset" { "skiplist" } else { "hashtable" }))
}

/// `MEMORY USAGE key [SAMPLES count]`: the bytes of names and values, which are what maps' limits count.
fn memory(call: &mut Call<'_>) -> Result<(), Failure> {
    if !call.is(1, "usage") {
        return Err(Failure::text("ERR only MEMORY USAGE is supported"));
    }
    match call.arguments.len() {
        3 => {}
        5 if call.is(3, "samples") => {
            call.integer(4)?;
        }
        _ => return Err(Failure::Syntax),
    }
    let key = call.key(2)?;
    match call.state.turn([&key], |turn| size(turn, &key))? {
        0 => call.reply.null(),
        bytes => call.reply.integer(bytes as i64),
    }
    Ok(())
}

fn size(turn: &Turn<'_>, key: &Key) -> Result<usize, Failure> {
    let mut bytes = turn.get(key)?.map_or(0, |read| key.name().len() + read.size());
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = turn.fields(key, Range { prefix: b"", after: after.as_deref(), limit: MAX_BATCH })?;
        let field = |key: &Key| key.field().map_or(0, <[u8]>::len);
        bytes += rows.iter().map(|row| key.name().len() + field(&row.key) + row.read.size()).sum::<usize>();
        let Some(last) = rows.last() else { return Ok(bytes) };
        after = last.key.field().map(<[u8]>::to_vec);
    }
}
