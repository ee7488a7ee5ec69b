//! Members that go by their place, score or name: ZREMRANGEBY…, ZPOPMIN and ZPOPMAX.

use baton_replica::{Key, Operation};
use baton_resp::parse_integer;

use crate::engine::Turn;
use crate::redis::call::Call;
use crate::redis::command::draw;
use crate::redis::command::sorted_set::ranking::{Ranked, Span};
use crate::redis::command::sorted_set::reply::{self, Show};
use crate::redis::command::sorted_set::{range, ranking};
use crate::redis::failure::Failure;

/// `ZREMRANGEBYRANK key start stop`
pub(super) fn by_place(call: &mut Call<'_>) -> Result<(), Failure> {
    let span = range::places(call.arguments.get(2), call.arguments.get(3))?;
    remove(call, &span)
}

/// `ZREMRANGEBYSCORE key min max`
pub(super) fn by_score(call: &mut Call<'_>) -> Result<(), Failure> {
    let span = range::scores(call.arguments.get(2), call.arguments.get(3))?;
    remove(call, &span)
}

/// `ZREMRANGEBYLEX key min max`
pub(super) fn by_name(call: &mut Call<'_>) -> Result<(), Failure> {
    let span = range::names(call.arguments.get(2), call.arguments.get(3))?;
    remove(call, &span)
}

/// `ZPOPMIN key [count]`. Two pods that do it at the same moment may get the same member.
pub(super) fn pop_lowest(call: &mut Call<'_>) -> Result<(), Failure> {
    pop(call, false)
}

/// `ZPOPMAX key [count]`
pub(super) fn pop_highest(call: &mut Call<'_>) -> Result<(), Failure> {
    pop(call, true)
}

fn remove(call: &mut Call<'_>, span: &Span) -> Result<(), Failure> {
    let key = call.key(1)?;
    let removed = call.state.turn([&key], |turn| take(turn, &key, span, false))?;
    call.reply.integer(removed.len() as i64);
    Ok(())
}

fn pop(call: &mut Call<'_>, highest: bool) -> Result<(), Failure> {
    let key = call.key(1)?;
    let (count, show) = match call.arguments.len() {
        2 => (1, Show::Flat),
        3 => (parse_integer(call.arguments.get(2)).filter(|count| *count >= 0).ok_or(draw::NEGATIVE)?, Show::Scores),
        _ => return Err(Failure::Syntax),
    };
    // None at all is no place from the end.
    let span = Span::Places(0, count.saturating_sub(1));
    let popped = call.state.turn([&key], |turn| {
        if count == 0 {
            super::SORTED_SET.exists(turn, &key).map(|_| Vec::new())
        } else {
            take(turn, &key, &span, highest)
        }
    })?;
    reply::members(call.reply, popped.iter(), show);
    Ok(())
}

/// Deletes the members of a span, in one step.
fn take(turn: &mut Turn<'_>, key: &Key, span: &Span, reverse: bool) -> Result<Vec<Ranked>, Failure> {
    let taken: Vec<Ranked> = ranking(turn, key)?.select(span, reverse).into_iter().cloned().collect();
    let mut changes = Vec::with_capacity(taken.len());
    for member in &taken {
        changes.push((key.with_field(&member.name)?, Operation::Delete));
    }
    turn.write_together(changes)?;
    Ok(taken)
}
