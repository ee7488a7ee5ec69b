//! The log window: per origin, which record each write that is not yet stable touched.
//!
//! The log is never compacted to the latest write of a key. A range may be claimed only if the receiver got, for
//! every dot in it, the current entry of that dot's key; a compacted range would claim dots whose keys it left out.
//! It is cut at its old end only, when writes are stable or when it is full; who needs what was cut joins by full state.

use std::collections::{BTreeMap, VecDeque};

use crate::ReplicaId;
use crate::store::RecordId;

/// The windows of all origins.
#[derive(Debug)]
pub(crate) struct Log {
    windows: BTreeMap<ReplicaId, Window>,
    slots: usize,
    max_slots: usize,
    /// Slots that were cut, until their records are told.
    cut: Vec<(ReplicaId, Slot)>,
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

/// The writes `(start, end]` of one origin. Counters without a slot are closed: their replica is gone, and nobody holds
/// anything of them.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    end: u64,
    slots: VecDeque<Slot>,
}

// === impl Log ===

impl Log {
    pub(crate) const fn new(max_slots: usize) -> Self {
        Self { windows: BTreeMap::new(), slots: 0, max_slots, cut: Vec::new() }
    }

    /// Adds a slot above the window's end. Counters between are closed.
    pub(crate) fn push(&mut self, origin: ReplicaId, slot: Slot) {
        let window = self.windows.entry(origin).or_default();
        debug_assert!(slot.counter > window.end, "slots are added in order");
        window.end = slot.counter;
        window.slots.push_back(slot);
        self.slots += 1;
        self.cut_to_size();
    }

    /// The last slot belongs to one batch with the next that will be pushed.
    pub(crate) fn continue_last(&mut self, origin: ReplicaId) {
        if let Some(slot) = self.windows.get_mut(&origin).and_then(|window| window.slots.back_mut()) {
            slot.continues = true;
        }
    }

    /// Counters up to here are closed if they have no slot.
    pub(crate) fn close(&mut self, origin: ReplicaId, through: u64) {
        let window = self.windows.entry(origin).or_default();
        window.end = window.end.max(through);
    }

    /// The counter above which the window has slots.
    pub(crate) fn start(&self, origin: ReplicaId) -> u64 {
        self.windows.get(&origin).map_or(0, |window| window.start)
    }

    /// The slots of an origin above a counter, in order; none if the counter is below the window.
    pub(crate) fn slots(&self, origin: ReplicaId, from: u64) -> impl Iterator<Item = Slot> + '_ {
        let window = self.windows.get(&origin).filter(|window| window.start <= from);
        window.into_iter().flat_map(move |window| {
            let skip = window.slots.partition_point(|slot| slot.counter <= from);
            window.slots.range(skip..).copied()
        })
    }

    /// Forgets the slots up to a counter.
    pub(crate) fn cut(&mut self, origin: ReplicaId, through: u64) {
        let Some(window) = self.windows.get_mut(&origin) else {
            return;
        };
        while let Some(slot) = window.slots.pop_front_if(|slot| slot.counter <= through) {
            self.slots -= 1;
            self.cut.push((origin, slot));
        }
        window.start = window.start.max(through.min(window.end));
    }

    /// The window starts here from now on: what is below arrived without slots.
    pub(crate) fn restart(&mut self, origin: ReplicaId, start: u64) {
        self.cut(origin, u64::MAX);
        self.windows.insert(origin, Window { start, end: start, slots: VecDeque::new() });
    }

    /// Forgets an origin.
    pub(crate) fn remove(&mut self, origin: ReplicaId) {
        self.cut(origin, u64::MAX);
        self.windows.remove(&origin);
    }

    /// A slot that was cut and whose record does not know it yet.
    pub(crate) fn pop_cut(&mut self) -> Option<(ReplicaId, Slot)> {
        self.cut.pop()
    }

    /// What the slots that were cut touched.
    pub(crate) fn cut_records(&self) -> impl Iterator<Item = RecordId> + '_ {
        self.cut.iter().rev().map(|(_, slot)| slot.record)
    }

    /// How many slots there are.
    pub(crate) const fn len(&self) -> usize {
        self.slots
    }

    fn cut_to_size(&mut self) {
        while self.slots > self.max_slots {
            let longest = self.windows.iter().max_by_key(|(_, window)| window.slots.len());
            let Some((origin, slot)) = longest.and_then(|(origin, window)| Some((*origin, *window.slots.front()?)))
            else {
                return;
            };
            self.cut(origin, slot.counter);
        }
    }
}
