//! Dots that came along in entries of other origins before their own range did.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::RecordId;
use crate::{Dot, Entry, ReplicaId};

/// Per origin the dots above the clock, and the records that hold them.
#[derive(Debug, Default)]
pub(super) struct Exceptions(BTreeMap<ReplicaId, BTreeSet<(u64, RecordId)>>);

// === impl Exceptions ===

impl Exceptions {
    pub(super) fn replace(&mut self, id: RecordId, before: &Entry, after: &Entry, seen: impl Fn(Dot) -> bool) {
        if !self.0.is_empty() {
            for dot in before.dots() {
                self.remove(dot, id);
            }
        }
        for dot in after.dots().filter(|dot| !seen(*dot)) {
            self.insert(id, dot);
        }
    }

    /// A dot that is above the clock came to a record.
    pub(super) fn insert(&mut self, id: RecordId, dot: Dot) {
        self.0.entry(dot.replica).or_default().insert((dot.counter, id));
    }

    pub(super) fn raise(&mut self, origin: ReplicaId, counter: u64) {
        let Some(dots) = self.0.get_mut(&origin) else { return };
        dots.retain(|(dot, _)| *dot > counter);
        if dots.is_empty() {
            self.0.remove(&origin);
        }
    }

    pub(super) fn retain(&mut self, listed: impl Fn(ReplicaId) -> bool) {
        self.0.retain(|origin, _| listed(*origin));
    }

    pub(super) fn of(&self, origin: ReplicaId) -> impl Iterator<Item = (u64, RecordId)> + '_ {
        self.0.get(&origin).into_iter().flatten().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn remove(&mut self, dot: Dot, id: RecordId) {
        let Some(dots) = self.0.get_mut(&dot.replica) else { return };
        dots.remove(&(dot.counter, id));
        if dots.is_empty() {
            self.0.remove(&dot.replica);
        }
    }
}
