//! Version vectors: per replica, the counter up to which everything has been seen.

use crate::{Dot, ReplicaId};

/// Per replica the highest counter such that it and all below it are seen; unlisted replicas are at 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionVector {
    /// Sorted by replica, no zero counters.
    entries: Vec<(ReplicaId, u64)>,
}

// === impl VersionVector ===

impl VersionVector {
    /// The vector that has seen nothing.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// The counter of a replica, 0 if nothing of it was seen.
    pub fn get(&self, replica: ReplicaId) -> u64 {
        self.position(replica).map_or(0, |at| self.entries[at].1)
    }

    /// Whether this write is among what was seen.
    pub fn covers(&self, dot: Dot) -> bool {
        dot.counter <= self.get(dot.replica)
    }

    /// Whether everything that the other has seen was seen here too.
    pub fn covers_all(&self, other: &Self) -> bool {
        other.iter().all(|(replica, counter)| self.get(replica) >= counter)
    }

    /// Raises one counter; a lower one changes nothing.
    pub fn raise(&mut self, replica: ReplicaId, counter: u64) {
        if counter == 0 {
            return;
        }
        match self.entries.binary_search_by_key(&replica, |entry| entry.0) {
            Ok(at) => self.entries[at].1 = self.entries[at].1.max(counter),
            Err(at) => self.entries.insert(at, (replica, counter)),
        }
    }

    /// Forgets a replica.
    pub fn remove(&mut self, replica: ReplicaId) {
        self.entries.retain(|entry| entry.0 != replica);
    }

    /// Forgets all replicas but some.
    pub fn retain(&mut self, keep: impl Fn(ReplicaId) -> bool) {
        self.entries.retain(|entry| keep(entry.0));
    }

    /// The least vector that covers both.
    pub fn join(&mut self, other: &Self) {
        for (replica, counter) in other.iter() {
            self.raise(replica, counter);
        }
    }

    /// The entries in which this vector is above the other.
    pub fn above(&self, other: &Self) -> Self {
        let entries = self.iter().filter(|(replica, counter)| *counter > other.get(*replica));
        Self { entries: entries.collect() }
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many replicas are listed.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Replicas and counters, by replica.
    pub fn iter(&self) -> impl Iterator<Item = (ReplicaId, u64)> + '_ {
        self.entries.iter().copied()
    }

    /// The highest dot of each replica.
    pub(crate) fn dots(&self) -> impl Iterator<Item = Dot> + '_ {
        self.iter().map(|(replica, counter)| Dot { replica, counter })
    }

    fn position(&self, replica: ReplicaId) -> Option<usize> {
        self.entries.binary_search_by_key(&replica, |entry| entry.0).ok()
    }
}

impl FromIterator<(ReplicaId, u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (ReplicaId, u64)>>(iter: I) -> Self {
        let mut vector = Self::new();
        for (replica, counter) in iter {
            vector.raise(replica, counter);
        }
        vector
    }
}
