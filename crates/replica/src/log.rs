//! The log window: per origin, which record each write that is not yet stable touched.
//!
//! The log is never compacted to the latest write of a key. A range may be claimed only if the receiver got, for
//! every dot in it, the current entry of that dot's key; a compacted range would claim dots whose keys it left out.
//! It is cut at its old end only, when writes are stable or when it is full; who needs what was cut joins by full state.

mod window;

use std::collections::BTreeMap;

use crate::ReplicaId;
use crate::store::RecordId;
use window::Window;

/// Records that were cut and are kept room for: as many as a message cuts, about. A cut of all that a shard has happens
/// when a member comes, and its room is given back.
const MAX_SPARE: usize = 1_024;

/// The windows of all origins.
#[derive(Debug)]
pub(crate) struct Log {
    windows: BTreeMap<ReplicaId, Window>,
    slots: usize,
    max_slots: usize,
    /// What the slots that were cut had touched, until the records are told.
    cut: Vec<RecordId>,
}

/// One write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The origin's counter.
    pub(crate) counter: u64,
    /// What it touched.
    pub(crate) record: RecordId,
    /// The next write belongs to the same batch.
    pub(crate) continues: bool,
}

// === impl Log ===

impl Log {
    pub(crate) const fn new(max_slots: usize) -> Self {
        Self { windows: BTreeMap::new(), slots: 0, max_slots, cut: Vec::new() }
    }

    /// Adds a slot at the window's end.
    pub(crate) fn push(&mut self, origin: ReplicaId, slot: Slot) {
        // Before, so that a full window takes no more room for it.
        self.cut_to(self.max_slots.saturating_sub(1));
        if self.windows.entry(origin).or_default().end().checked_add(1) != Some(slot.counter) {
            // Nothing leaves a gap. If something did, who lacks what is before it would have to take the full state.
            self.restart(origin, slot.counter - 1);
        }
        self.windows.entry(origin).or_default().push(slot.record, slot.continues);
        self.slots += 1;
    }

    /// The last slot belongs to one batch with the next that will be pushed.
    pub(crate) fn continue_last(&mut self, origin: ReplicaId) {
        if let Some(window) = self.windows.get_mut(&origin) {
            window.continue_last();
        }
    }

    /// The counter above which the window has slots.
    pub(crate) fn start(&self, origin: ReplicaId) -> u64 {
        self.windows.get(&origin).map_or(0, Window::start)
    }

    /// The slots of an origin above a counter, in order; none if the counter is below the window.
    pub(crate) fn slots(&self, origin: ReplicaId, from: u64) -> impl Iterator<Item = Slot> + '_ {
        let window = self.windows.get(&origin).filter(|window| window.start() <= from);
        window.into_iter().flat_map(move |window| window.slots(from))
    }

    /// Forgets the slots up to a counter.
    pub(crate) fn cut(&mut self, origin: ReplicaId, through: u64) {
        let Some(window) = self.windows.get_mut(&origin) else {
            return;
        };
        let before = self.cut.len();
        self.cut.extend(window.cut(through));
        window.shrink();
        self.slots -= self.cut.len() - before;
    }

    /// The window starts here from now on: what is below arrived without slots.
    pub(crate) fn restart(&mut self, origin: ReplicaId, start: u64) {
        self.cut(origin, u64::MAX);
        self.windows.insert(origin, Window::from(start));
    }

    /// Forgets an origin.
    pub(crate) fn remove(&mut self, origin: ReplicaId) {
        self.cut(origin, u64::MAX);
        self.windows.remove(&origin);
    }

    /// What a slot had touched that was cut, if its record does not know it yet.
    pub(crate) fn pop_cut(&mut self) -> Option<RecordId> {
        let record = self.cut.pop();
        if record.is_none() {
            self.cut.shrink_to(MAX_SPARE);
        }
        record
    }

    /// What the slots that were cut had touched.
    pub(crate) fn cut_records(&self) -> impl Iterator<Item = RecordId> + '_ {
        self.cut.iter().rev().copied()
    }

    /// How many slots there are.
    pub(crate) const fn len(&self) -> usize {
        self.slots
    }

    fn cut_to(&mut self, slots: usize) {
        while self.slots > slots {
            let longest = self.windows.iter().max_by_key(|(_, window)| window.len());
            let Some((origin, first)) = longest.map(|(origin, window)| (*origin, window.start().saturating_add(1)))
            else {
                return;
            };
            self.cut(origin, first);
        }
    }
}
