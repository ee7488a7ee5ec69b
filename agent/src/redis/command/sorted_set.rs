//! Sorted sets: keys whose fields are the members, with their scores as values.
//!
//! The order is made when it is asked for: nothing is kept besides the scores, so that there is nothing that two pods
//! could have in different orders.

mod add;
mod bound;
mod count;
mod range;
mod ranking;
mod remove;
mod reply;
mod score;

use baton_replica::Key;
use bytes::Bytes;

use crate::engine::Turn;
use crate::redis::call::Call;
use crate::redis::command::{hash, page};
use crate::redis::failure::Failure;
use crate::redis::kind::{Kind, name_of};
use crate::redis::table::{Command, Flags, Keys};
use ranking::{Ranked, Ranking};

const SORTED_SET: Kind = Kind::SortedSet;

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command { name: "zadd", arity: -4, flags: Flags::WRITE, keys: Keys::FIRST, run: add::add },
    Command { name: "zincrby", arity: 4, flags: Flags::WRITE, keys: Keys::FIRST, run: add::increment },
    Command {
        name: "zrem",
        arity: -3,
        flags: Flags::WRITE,
        keys: Keys::FIRST,
        run: |call| hash::remove(call, SORTED_SET),
    },
    Command { name: "zscore", arity: 3, flags: Flags::READ, keys: Keys::FIRST, run: get },
    Command { name: "zmscore", arity: -3, flags: Flags::READ, keys: Keys::FIRST, run: get_many },
    Command { name: "zcard", arity: 2, flags: Flags::READ, keys: Keys::FIRST, run: |call| hash::len(call, SORTED_SET) },
    Command { name: "zcount", arity: 4, flags: Flags::READ, keys: Keys::FIRST, run: count::by_score },
    Command { name: "zlexcount", arity: 4, flags: Flags::READ, keys: Keys::FIRST, run: count::by_name },
    Command { name: "zrank", arity: 3, flags: Flags::READ, keys: Keys::FIRST, run: count::rank },
    Command { name: "zrevrank", arity: 3, flags: Flags::READ, keys: Keys::FIRST, run: count::reverse_rank },
    Command { name: "zrange", arity: -4, flags: Flags::READ, keys: Keys::FIRST, run: range::any },
    Command { name: "zrevrange", arity: -4, flags: Flags::READ, keys: Keys::FIRST, run: range::reverse },
    Command { name: "zrangebyscore", arity: -4, flags: Flags::READ, keys: Keys::FIRST, run: range::by_score },
    Command {
        name: "zrevrangebyscore",
        arity: -4,
        flags: Flags::READ,
        keys: Keys::FIRST,
        run: range::reverse_by_score,
    },
    Command { name: "zrangebylex", arity: -4, flags: Flags::READ, keys: Keys::FIRST, run: range::by_name },
    Command { name: "zrevrangebylex", arity: -4, flags: Flags::READ, keys: Keys::FIRST, run: range::reverse_by_name },
    Command { name: "zremrangebyrank", arity: 4, flags: Flags::WRITE, keys: Keys::FIRST, run: remove::by_place },
    Command { name: "zremrangebyscore", arity: 4, flags: Flags::WRITE, keys: Keys::FIRST, run: remove::by_score },
    Command { name: "zremrangebylex", arity: 4, flags: Flags::WRITE, keys: Keys::FIRST, run: remove::by_name },
    Command { name: "zpopmin", arity: -2, flags: Flags::WRITE, keys: Keys::FIRST, run: remove::pop_lowest },
    Command { name: "zpopmax", arity: -2, flags: Flags::WRITE, keys: Keys::FIRST, run: remove::pop_highest },
    Command { name: "zscan", arity: -3, flags: Flags::READ, keys: Keys::FIRST, run: scan_members },
];

/// All members, in their order.
fn ranking(turn: &Turn<'_>, key: &Key) -> Result<Ranking, Failure> {
    let listed = SORTED_SET.fields(turn, key)?;
    let ranked = listed.iter().filter_map(|listed| {
        let score = score::of(&listed.read)?;
        Some(Ranked { score, name: Bytes::copy_from_slice(name_of(listed)) })
    });
    Ok(Ranking::new(ranked.collect()))
}

/// All members of the key that a command names first.
fn ranking_of(call: &mut Call<'_>) -> Result<Ranking, Failure> {
    let key = call.key(1)?;
    call.state.turn([&key], |turn| ranking(turn, &key))
}

fn get(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let name = call.arguments.get(2);
    let read = call.state.turn([&key], |turn| SORTED_SET.field(turn, &key, name))?;
    reply::score(call.reply, read.as_ref().and_then(score::of));
    Ok(())
}

fn get_many(call: &mut Call<'_>) -> Result<(), Failure> {
    hash::each(call, SORTED_SET, |reply, read| reply::score(reply, read.and_then(score::of)))
}

fn scan_members(call: &mut Call<'_>) -> Result<(), Failure> {
    page::fields(call, SORTED_SET, 2, |reply, listed| {
        reply.bulk(name_of(listed));
        reply::score_text(reply, score::of(&listed.read).unwrap_or_default());
    })
}
