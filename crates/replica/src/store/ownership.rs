//! Who owns which records.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::store::RecordId;
use crate::{Entry, ReplicaId};

/// The records of each owner.
#[derive(Debug, Default)]
pub(super) struct Owned(BTreeMap<ReplicaId, BTreeSet<RecordId>>);

// === impl Owned ===

impl Owned {
    pub(super) fn replace(&mut self, id: RecordId, before: &Entry, after: &Entry) {
        let of = |entry: &Entry| entry.owner().and_then(|owner| owner.replica);
        let (before, after) = (of(before), of(after));
        if before == after {
            return;
        }
        if let Some(owner) = before
            && let Some(owned) = self.0.get_mut(&owner)
        {
            owned.remove(&id);
            if owned.is_empty() {
                self.0.remove(&owner);
            }
        }
        if let Some(owner) = after {
            self.0.entry(owner).or_default().insert(id);
        }
    }

    /// Everybody who owns anything.
    pub(super) fn owners(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.0.keys().copied()
    }

    /// How many records an owner has.
    pub(super) fn count(&self, owner: ReplicaId) -> usize {
        self.0.get(&owner).map_or(0, BTreeSet::len)
    }

    /// An owner's records after one of them.
    pub(super) fn of(&self, owner: ReplicaId, after: Option<RecordId>) -> impl Iterator<Item = RecordId> + '_ {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.0.get(&owner).into_iter().flat_map(move |owned| owned.range((start, Bound::Unbounded)).copied())
    }
}
