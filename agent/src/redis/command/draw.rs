//! Members drawn by chance.

use baton_resp::parse_integer;
use rand::RngExt;
use rand::seq::{IndexedRandom, index};

use crate::redis::failure::Failure;

/// The most that one command draws where it may draw the same again: a reply of members of a kilobyte is a gigabyte.
const MAX_REPEATED: usize = 1 << 20;

pub(super) const NEGATIVE: Failure = Failure::text("ERR value is out of range, must be positive");
const TOO_MANY: Failure = Failure::text("ERR value is out of range");

/// How many are to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// So many different ones, or all.
    Different(usize),
    /// Exactly so many, perhaps one of them again.
    Repeated(usize),
}

/// A count as clients write it; one below zero allows the same again.
pub(super) fn count(text: &[u8]) -> Result<Count, Failure> {
    let number = parse_integer(text).ok_or(Failure::NotAnInteger)?;
    let size = usize::try_from(number.unsigned_abs()).map_err(|_| TOO_MANY)?;
    Ok(if number < 0 { Count::Repeated(size) } else { Count::Different(size) })
}

/// One of them; `None` if there is none.
pub(super) fn one<T>(all: &[T]) -> Option<&T> {
    all.choose(&mut rand::rng())
}

/// As many as are to be drawn.
pub(super) fn some<T>(all: &[T], count: Count) -> Result<Vec<&T>, Failure> {
    let mut chance = rand::rng();
    match count {
        Count::Different(count) if count >= all.len() => Ok(all.iter().collect()),
        Count::Different(count) => {
            Ok(index::sample(&mut chance, all.len(), count).into_iter().filter_map(|at| all.get(at)).collect())
        }
        Count::Repeated(_) if all.is_empty() => Ok(Vec::new()),
        Count::Repeated(count) if count > MAX_REPEATED => Err(TOO_MANY),
        Count::Repeated(count) => Ok((0..count).filter_map(|_| all.get(chance.random_range(0..all.len()))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn different_ones_are_different_and_no_more_than_there_are() {
        let all: Vec<u32> = (0..100).collect();
        let drawn = some(&all, Count::Different(40)).expect("few");
        assert_eq!((drawn.len(), drawn.iter().collect::<BTreeSet<_>>().len()), (40, 40));
        assert_eq!(some(&all, Count::Different(1_000)).expect("few").len(), 100);
        assert_eq!(one::<u32>(&[]), None);
    }

    #[test]
    fn repeated_ones_are_as_many_as_asked_for() {
        assert_eq!(some(&[7], Count::Repeated(5)).expect("few"), [&7; 5]);
        assert_eq!(some::<u32>(&[], Count::Repeated(5)).expect("few").len(), 0);
        assert!(some(&[7], Count::Repeated(MAX_REPEATED + 1)).is_err());
    }

    #[test]
    fn a_count_below_zero_allows_the_same_again() {
        assert_eq!((count(b"3").ok(), count(b"-3").ok()), (Some(Count::Different(3)), Some(Count::Repeated(3))));
        assert!(count(b"x").is_err());
    }
}
