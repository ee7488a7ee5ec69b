//! Hashes: keys with fields, each an entry of its own, so that pods which write different fields do not disturb each other.

pub(super) mod count;
mod random;

use baton_replica::{Key, Operation, Read};
use baton_resp::Encoder;
use bytes::Bytes;

use crate::redis::call::Call;
use crate::redis::command::page;
use crate::redis::failure::Failure;
use crate::redis::kind::{self, Kind, name_of};
use crate::redis::table::{Command, Flags, Keys};

const HASH: Kind = Kind::Hash;

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command { name: "hset", arity: -4, flags: Flags::WRITE, keys: Keys::FIRST, run: set },
    Command { name: "hmset", arity: -4, flags: Flags::WRITE, keys: Keys::FIRST, run: set_many },
    Command { name: "hsetnx", arity: 4, flags: Flags::WRITE, keys: Keys::FIRST, run: set_new },
    Command { name: "hget", arity: 3, flags: Flags::READ, keys: Keys::FIRST, run: get },
    Command { name: "hmget", arity: -3, flags: Flags::READ, keys: Keys::FIRST, run: get_many },
    Command { name: "hgetall", arity: 2, flags: Flags::READ, keys: Keys::FIRST, run: get_all },
    Command { name: "hdel", arity: -3, flags: Flags::WRITE, keys: Keys::FIRST, run: |call| remove(call, HASH) },
    Command { name: "hexists", arity: 3, flags: Flags::READ, keys: Keys::FIRST, run: |call| exists(call, HASH) },
    Command { name: "hkeys", arity: 2, flags: Flags::READ, keys: Keys::FIRST, run: names },
    Command { name: "hvals", arity: 2, flags: Flags::READ, keys: Keys::FIRST, run: values },
    Command { name: "hlen", arity: 2, flags: Flags::READ, keys: Keys::FIRST, run: |call| len(call, HASH) },
    Command { name: "hstrlen", arity: 3, flags: Flags::READ, keys: Keys::FIRST, run: value_len },
    Command { name: "hincrby", arity: 4, flags: Flags::WRITE, keys: Keys::FIRST, run: count::add },
    Command { name: "hincrbyfloat", arity: 4, flags: Flags::WRITE, keys: Keys::FIRST, run: count::add_float },
    Command { name: "hscan", arity: -3, flags: Flags::READ, keys: Keys::FIRST, run: scan_fields },
    Command { name: "hrandfield", arity: -2, flags: Flags::READ, keys: Keys::FIRST, run: random::get },
];

fn set(call: &mut Call<'_>) -> Result<(), Failure> {
    let added = put_pairs(call)?;
    call.reply.integer(added);
    Ok(())
}

fn set_many(call: &mut Call<'_>) -> Result<(), Failure> {
    put_pairs(call)?;
    call.reply.simple("OK");
    Ok(())
}

/// Puts all fields as one, and says how many there were not before.
fn put_pairs(call: &mut Call<'_>) -> Result<i64, Failure> {
    let key = call.key(1)?;
    let arguments = call.arguments;
    if !arguments.len().is_multiple_of(2) {
        return Err(call.wrong_arity());
    }
    call.state.turn([&key], |turn| {
        HASH.exists(turn, &key)?;
        let mut changes = Vec::with_capacity(arguments.len() / 2 - 1);
        for at in (2..arguments.len()).step_by(2) {
            let field = key.with_field(arguments.get(at))?;
            let body = Bytes::copy_from_slice(arguments.get(at + 1));
            let operation = kind::put(turn, &key, &field, kind::value("", body))?;
            changes.push((field, operation));
        }
        let done = turn.write_together(changes)?;
        Ok(done.iter().filter(|done| !done.existed).count() as i64)
    })
}

fn set_new(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let (name, body) = (call.arguments.get(2), Bytes::copy_from_slice(call.arguments.get(3)));
    let new = call.state.turn([&key], |turn| {
        let field = key.with_field(name)?;
        if HASH.field(turn, &key, name)?.is_some() {
            turn.vouch(&field)?;
            return Ok::<_, Failure>(false);
        }
        let operation = kind::put(turn, &key, &field, kind::value("", body))?;
        turn.write(&field, operation)?;
        Ok(true)
    })?;
    call.reply.integer(new.into());
    Ok(())
}

fn get(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let name = call.arguments.get(2);
    match call.state.turn([&key], |turn| HASH.field(turn, &key, name))? {
        Some(read) => call.reply.bulk(&read.value.body),
        None => call.reply.null(),
    }
    Ok(())
}

fn get_many(call: &mut Call<'_>) -> Result<(), Failure> {
    each(call, HASH, |reply, read| match read {
        Some(read) => reply.bulk(&read.value.body),
        None => reply.null(),
    })
}

/// Answers with each of the fields that a command names after its key, whether it is there or not.
pub(super) fn each(
    call: &mut Call<'_>,
    kind: Kind,
    answer: impl Fn(&mut Encoder, Option<&Read>),
) -> Result<(), Failure> {
    let key = call.key(1)?;
    let names = call.arguments.from(2);
    call.reply.array(names.len());
    call.state.turn([&key], |turn| {
        for name in names {
            answer(call.reply, kind.field(turn, &key, name)?.as_ref());
        }
        Ok(())
    })
}

fn get_all(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let listed = call.state.turn([&key], |turn| HASH.fields(turn, &key))?;
    call.reply.map(listed.len());
    for listed in &listed {
        call.reply.bulk(name_of(listed));
        call.reply.bulk(&listed.read.value.body);
    }
    Ok(())
}

fn names(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let listed = call.state.turn([&key], |turn| HASH.fields(turn, &key))?;
    call.reply.array(listed.len());
    listed.iter().for_each(|listed| call.reply.bulk(name_of(listed)));
    Ok(())
}

fn values(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let listed = call.state.turn([&key], |turn| HASH.fields(turn, &key))?;
    call.reply.array(listed.len());
    listed.iter().for_each(|listed| call.reply.bulk(&listed.read.value.body));
    Ok(())
}

/// Answers with how many fields a key has.
pub(super) fn len(call: &mut Call<'_>, kind: Kind) -> Result<(), Failure> {
    let key = call.key(1)?;
    let listed = call.state.turn([&key], |turn| kind.fields(turn, &key))?;
    call.reply.integer(listed.len() as i64);
    Ok(())
}

/// Answers with whether a key has the field that a command names after it.
pub(super) fn exists(call: &mut Call<'_>, kind: Kind) -> Result<(), Failure> {
    let key = call.key(1)?;
    let name = call.arguments.get(2);
    let found = call.state.turn([&key], |turn| kind.field(turn, &key, name))?;
    call.reply.integer(found.is_some().into());
    Ok(())
}

fn value_len(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let name = call.arguments.get(2);
    let found = call.state.turn([&key], |turn| HASH.field(turn, &key, name))?;
    call.reply.integer(found.map_or(0, |read| read.value.body.len() as i64));
    Ok(())
}

/// Deletes the fields that a command names after its key, as one, and answers with how many there were.
pub(super) fn remove(call: &mut Call<'_>, kind: Kind) -> Result<(), Failure> {
    let key = call.key(1)?;
    let names = call.arguments.from(2);
    let removed = call.state.turn([&key], |turn| {
        if !kind.exists(turn, &key)? {
            return Ok(0);
        }
        let mut changes: Vec<(Key, Operation)> = Vec::with_capacity(names.len());
        for name in names {
            changes.push((key.with_field(name)?, Operation::Delete));
        }
        let done = turn.write_together(changes)?;
        Ok::<_, Failure>(done.iter().filter(|done| done.existed).count() as i64)
    })?;
    call.reply.integer(removed);
    Ok(())
}

fn scan_fields(call: &mut Call<'_>) -> Result<(), Failure> {
    page::fields(call, HASH, 2, |reply, listed| {
        reply.bulk(name_of(listed));
        reply.bulk(&listed.read.value.body);
    })
}
