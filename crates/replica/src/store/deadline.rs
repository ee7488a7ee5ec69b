//! When versions expire.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::store::RecordId;
use crate::{Entry, Version};

/// By record, when the first of its versions can be dropped.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BTreeSet<(u64, RecordId)>);

// === impl Deadlines ===

impl Deadlines {
    pub(super) fn replace(&mut self, id: RecordId, before: &Entry, after: &Entry) {
        let (before, after) = (first(before), first(after));
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

/// A version waits for earlier ones of its replica, which its dot would cover: without that, one that waits for ever would
/// be due for ever.
fn first(entry: &Entry) -> Option<u64> {
    let versions = entry.versions();
    let end = |version: &Version| {
        let before =
            |other: &&Version| other.dot.replica == version.dot.replica && other.dot.counter < version.dot.counter;
        let own = version.expires_at?;
        versions.iter().filter(before).try_fold(own, |end, other| Some(end.max(other.expires_at?)))
    };
    versions.iter().filter_map(end).min()
}
