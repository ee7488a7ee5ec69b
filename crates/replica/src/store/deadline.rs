//! When versions expire.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::Entry;
use crate::store::RecordId;

/// The deadlines of all versions that have one.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BTreeSet<(u64, RecordId)>);

// === impl Deadlines ===

impl Deadlines {
    pub(super) fn replace(&mut self, id: RecordId, before: &Entry, after: &Entry) {
        let of = |entry: &Entry| entry.versions().iter().filter_map(|version| version.expires_at).min();
        let (before, after) = (of(before), of(after));
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.0.remove(&(before, id));
        }
        if let Some(after) = after {
            self.0.insert((after, id));
        }
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.0.first().map(|(deadline, _)| *deadline)
    }

    pub(super) fn due(&self, now: u64, after: Option<(u64, RecordId)>) -> Option<(u64, RecordId)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.0.range((start, Bound::Unbounded)).next().copied().filter(|(deadline, _)| *deadline <= now)
    }
}
