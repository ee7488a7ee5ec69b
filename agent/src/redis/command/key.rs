//! Whether keys are there, what they are, and their end: DEL, EXISTS, TYPE.

use baton_replica::{Key, WriteError};

use crate::collection::type_name;
use crate::engine::Turn;
use crate::redis::call::Call;
use crate::redis::failure::Failure;
use crate::redis::table::{Command, Flags, Keys};

pub(super) const COMMANDS: &[Command] = &[
    Command { name: "del", arity: -2, flags: Flags::WRITE, keys: Keys::ALL, run: del },
    Command { name: "unlink", arity: -2, flags: Flags::WRITE, keys: Keys::ALL, run: del },
    Command { name: "exists", arity: -2, flags: Flags::READ, keys: Keys::ALL, run: exists },
    Command { name: "touch", arity: -2, flags: Flags::READ, keys: Keys::ALL, run: exists },
    Command { name: "type", arity: 2, flags: Flags::READ, keys: Keys::FIRST, run: kind },
];

/// What Redis calls what a key holds, if it holds anything.
pub(super) fn type_of(turn: &Turn<'_>, key: &Key) -> Result<Option<&'static str>, Failure> {
    if turn.has_value(key)? {
        return Ok(Some("string"));
    }
    Ok(turn.first_field(key)?.map(|row| type_name(&row.read.value)))
}

fn del(call: &mut Call<'_>) -> Result<(), Failure> {
    let keys = call.keys(1, 1)?;
    let deleted = call.state.turn(&keys, |turn| turn.remove_all(&keys))?;
    call.reply.integer(deleted as i64);
    Ok(())
}

fn exists(call: &mut Call<'_>) -> Result<(), Failure> {
    let keys = call.keys(1, 1)?;
    let found = call.state.turn(&keys, |turn| {
        keys.iter().try_fold(0, |found, key| Ok::<_, WriteError>(found + i64::from(turn.exists(key)?)))
    })?;
    call.reply.integer(found);
    Ok(())
}

fn kind(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let name = call.state.turn([&key], |turn| type_of(turn, &key))?;
    call.reply.simple(name.unwrap_or("none"));
    Ok(())
}
