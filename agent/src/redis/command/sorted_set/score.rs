//! A member's score, as it is stored: the number in decimal, of a media type of its own.
//!
//! A whole number is one that a counter can add to, so what several pods add at once all counts. A number with a fraction
//! is a value like any other: the last one put is there.

use baton_replica::{Key, Operation, Read};
use baton_resp::{format_double, parse_double};

use crate::collection::SCORE;
use crate::engine::Turn;
use crate::redis::command::hash::count::{self, whole};
use crate::redis::failure::Failure;
use crate::redis::kind;

const FRACTION: Failure = Failure::text(
    "ERR only whole numbers can be added to scores, and to whole ones: \
     additions of two pods at once must both count; ZADD sets any score",
);

/// The score of a member; `None` if what is stored there is none.
pub(super) fn of(read: &Read) -> Option<f64> {
    parse_double(&read.value.body)
}

/// What gives a member a score.
pub(super) fn put(turn: &Turn<'_>, key: &Key, field: &Key, score: f64) -> Result<Operation, Failure> {
    kind::put(turn, key, field, kind::value(SCORE, text(score)))
}

/// Adds to a member's score. Of numbers that are not whole, additions by two pods could not both count.
pub(super) fn add(
    turn: &mut Turn<'_>,
    key: &Key,
    field: &Key,
    present: Option<&Read>,
    by: f64,
) -> Result<f64, Failure> {
    let is_whole = present.is_none_or(|read| read.value.integer().is_some());
    let Some(by) = whole(by).filter(|_| is_whole) else { return Err(FRACTION) };
    Ok(count::increment(turn, key, field, present.is_some(), SCORE, by)? as f64)
}

fn text(score: f64) -> Vec<u8> {
    let mut text = Vec::new();
    match whole(score) {
        Some(whole) => text.extend_from_slice(whole.to_string().as_bytes()),
        None => format_double(score, &mut text),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_stored_as_counters_spell_them_and_others_so_that_they_are_read_again() {
        for (score, stored) in [(5.0, "5"), (-0.0, "0"), (-12.0, "-12"), (1.5, "1.5"), (f64::NEG_INFINITY, "-inf")] {
            assert_eq!(text(score), stored.as_bytes());
        }
        for score in [0.1, 1e300, -2.5e-9, 9_007_199_254_740_992.0, 1e17, f64::INFINITY] {
            assert_eq!(parse_double(&text(score)), Some(score));
        }
    }
}
