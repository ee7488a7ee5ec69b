//! Sets: keys whose fields are their members. Where one pod adds a member while another removes it, it stays.

mod algebra;
mod random;

use baton_replica::{Key, Operation};

use crate::collection::MEMBER;
use crate::engine::Turn;
use crate::redis::call::Call;
use crate::redis::command::{hash, page};
use crate::redis::failure::Failure;
use crate::redis::kind::{self, Kind, name_of};
use crate::redis::table::{Command, Flags, Keys};

const SET: Kind = Kind::Set;

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command { name: "sadd", arity: -3, flags: Flags::WRITE, keys: Keys::FIRST, run: add },
    Command { name: "srem", arity: -3, flags: Flags::WRITE, keys: Keys::FIRST, run: |call| hash::remove(call, SET) },
    Command { name: "smembers", arity: 2, flags: Flags::READ, keys: Keys::FIRST, run: members },
    Command { name: "sismember", arity: 3, flags: Flags::READ, keys: Keys::FIRST, run: |call| hash::exists(call, SET) },
    Command { name: "smismember", arity: -3, flags: Flags::READ, keys: Keys::FIRST, run: are_members },
    Command { name: "scard", arity: 2, flags: Flags::READ, keys: Keys::FIRST, run: |call| hash::len(call, SET) },
    Command { name: "smove", arity: 4, flags: Flags::WRITE, keys: Keys::TWO, run: transfer },
    Command { name: "spop", arity: -2, flags: Flags::WRITE, keys: Keys::FIRST, run: random::pop },
    Command { name: "srandmember", arity: -2, flags: Flags::READ, keys: Keys::FIRST, run: random::get },
    Command { name: "sscan", arity: -3, flags: Flags::READ, keys: Keys::FIRST, run: scan_members },
    Command { name: "sunion", arity: -2, flags: Flags::READ, keys: Keys::ALL, run: algebra::union },
    Command { name: "sinter", arity: -2, flags: Flags::READ, keys: Keys::ALL, run: algebra::intersection },
    Command { name: "sdiff", arity: -2, flags: Flags::READ, keys: Keys::ALL, run: algebra::difference },
];

fn add(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let names = call.arguments.from(2);
    let added = call.state.turn([&key], |turn| {
        let mut changes: Vec<(Key, Operation)> = Vec::new();
        for name in names {
            match SET.field(turn, &key, name)? {
                None => changes.push(addition(turn, &key, name)?),
                Some(_) => turn.vouch(&key.with_field(name)?)?,
            }
        }
        let done = turn.write_together(changes)?;
        Ok::<_, Failure>(done.iter().filter(|done| !done.existed).count() as i64)
    })?;
    call.reply.integer(added);
    Ok(())
}

/// What makes a name a member.
fn addition(turn: &Turn<'_>, key: &Key, name: &[u8]) -> Result<(Key, Operation), Failure> {
    let field = key.with_field(name)?;
    let operation = kind::put(turn, key, &field, kind::value(MEMBER, ""))?;
    Ok((field, operation))
}

fn members(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let listed = call.state.turn([&key], |turn| SET.fields(turn, &key))?;
    call.reply.set(listed.len());
    listed.iter().for_each(|listed| call.reply.bulk(name_of(listed)));
    Ok(())
}

fn are_members(call: &mut Call<'_>) -> Result<(), Failure> {
    hash::each(call, SET, |reply, read| reply.integer(read.is_some().into()))
}

/// `SMOVE source destination member`. Other pods may see it in both for a moment, or in none.
fn transfer(call: &mut Call<'_>) -> Result<(), Failure> {
    let (source, destination) = (call.key(1)?, call.key(2)?);
    let name = call.arguments.get(3);
    let moved = call.state.turn([&source, &destination], |turn| {
        if !SET.exists(turn, &source)? {
            return Ok::<_, Failure>(false);
        }
        let found = SET.field(turn, &source, name)?.is_some();
        let there = SET.field(turn, &destination, name)?.is_some();
        if !found {
            return Ok(false);
        }
        let mut changes = Vec::with_capacity(2);
        match there {
            true => turn.vouch(&destination.with_field(name)?)?,
            false => changes.push(addition(turn, &destination, name)?),
        }
        if source != destination {
            changes.push((source.with_field(name)?, Operation::Delete));
        }
        turn.write_together(changes)?;
        Ok(true)
    })?;
    call.reply.integer(moved.into());
    Ok(())
}

fn scan_members(call: &mut Call<'_>) -> Result<(), Failure> {
    page::fields(call, SET, 1, |reply, listed| reply.bulk(name_of(listed)))
}
