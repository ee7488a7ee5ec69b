//! Where lists go on that are read page by page.
//!
//! A cursor of Redis is a number, and a place between keys is a key: so it is kept here by a number. A scan goes along the
//! keys in their order, so each key that is there all the time is seen exactly once.

use std::collections::BTreeMap;

use baton_replica::Key;
use parking_lot::Mutex;

/// Scans that can be under way: one that is given up stays until so many others have begun.
const MAX_SCANS: usize = 1024;

/// Places of the scans that are under way.
#[derive(Default)]
pub(super) struct Cursors {
    table: Mutex<Table>,
}

/// Where a scan goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Shards are looked at one after the other.
    pub(super) shard: usize,
    /// The last key of the page before, if it was of this shard.
    pub(super) after: Option<Key>,
}

#[derive(Default)]
struct Table {
    places: BTreeMap<u64, Step>,
    last: u64,
}

/// A place, and the one before it, by which a client may ask once more if the answer did not reach it.
struct Step {
    place: Place,
    before: u64,
}

// === impl Place ===

impl Place {
    /// Where every scan begins.
    pub(super) const START: Self = Self { shard: 0, after: None };
}

// === impl Cursors ===

impl Cursors {
    /// The place of a cursor that was given out, and is not forgotten.
    pub(super) fn find(&self, cursor: u64) -> Option<Place> {
        let mut table = self.table.lock();
        let step = table.places.get(&cursor)?;
        let (place, before) = (step.place.clone(), step.before);
        // Who asks with this one has the answer to the one before.
        table.places.remove(&before);
        Some(place)
    }

    /// A cursor for the place after that of another, which is 0 for the first.
    pub(super) fn next(&self, before: u64, place: Place) -> u64 {
        let mut table = self.table.lock();
        table.last += 1;
        let cursor = table.last;
        table.places.insert(cursor, Step { place, before });
        if table.places.len() > 2 * MAX_SCANS {
            table.places.pop_first();
        }
        cursor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(shard: usize) -> Place {
        Place { shard, after: None }
    }

    #[test]
    fn a_cursor_can_be_used_again_until_the_next_one_is() {
        let cursors = Cursors::default();
        let first = cursors.next(0, place(1));
        assert_eq!(cursors.find(first), Some(place(1)));
        let second = cursors.next(first, place(2));
        assert_eq!((cursors.find(first), cursors.find(second)), (Some(place(1)), Some(place(2))));
        assert_eq!(cursors.find(first), None);
    }

    #[test]
    fn scans_that_were_given_up_are_forgotten_and_those_that_go_on_are_not() {
        let cursors = Cursors::default();
        let given_up = cursors.next(0, place(0));
        let mut going_on = cursors.next(0, place(1));
        for _ in 0..3 * MAX_SCANS {
            cursors.next(0, place(2));
            assert!(cursors.find(going_on).is_some());
            going_on = cursors.next(going_on, place(1));
        }
        assert_eq!(cursors.find(given_up), None);
        assert!(cursors.table.lock().places.len() <= 2 * MAX_SCANS);
    }
}
