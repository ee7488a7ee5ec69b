//! How many members a range has, and the place of one.

use crate::redis::call::Call;
use crate::redis::command::sorted_set::ranking::{Ranking, Span};
use crate::redis::command::sorted_set::{range, ranking_of};
use crate::redis::failure::Failure;

/// `ZCOUNT key min max`
pub(super) fn by_score(call: &mut Call<'_>) -> Result<(), Failure> {
    let span = range::scores(call.arguments.get(2), call.arguments.get(3))?;
    count(call, &span)
}

/// `ZLEXCOUNT key min max`
pub(super) fn by_name(call: &mut Call<'_>) -> Result<(), Failure> {
    let span = range::names(call.arguments.get(2), call.arguments.get(3))?;
    count(call, &span)
}

/// `ZRANK key member`
pub(super) fn rank(call: &mut Call<'_>) -> Result<(), Failure> {
    place(call, |_, place| place)
}

/// `ZREVRANK key member`
pub(super) fn reverse_rank(call: &mut Call<'_>) -> Result<(), Failure> {
    place(call, |ranking, place| ranking.len() - 1 - place)
}

fn count(call: &mut Call<'_>, span: &Span) -> Result<(), Failure> {
    let count = ranking_of(call)?.places(span, false).len();
    call.reply.integer(count as i64);
    Ok(())
}

fn place(call: &mut Call<'_>, of: impl Fn(&Ranking, usize) -> usize) -> Result<(), Failure> {
    let ranking = ranking_of(call)?;
    match ranking.place(call.arguments.get(2)) {
        Some(place) => call.reply.integer(of(&ranking, place) as i64),
        None => call.reply.null(),
    }
    Ok(())
}
