//! The log window: per origin, which key each write that is not yet stable touched.
//!
//! The log is never compacted to the latest write of a key. A range may be claimed only if the receiver got, for
//! every dot in it, the current entry of that dot's key; a compacted range would claim dots whose keys it left out.
//! It is cut at its old end only, when writes are stable or when it is full; who needs what was cut joins by full state.

use std::collections::{BTreeMap, VecDeque};

use crate::{Key, ReplicaId};

/// The windows of all origins.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    windows: BTreeMap<ReplicaId, Window>,
    slots: usize,
    max_slots: usize,
}

/// The slots `(start, start + slots.len()]` of one origin.
#[derive(Clone, Debug, Default)]
struct Window {
    start: u64,
    slots: VecDeque<Key>,
}

// === impl Log ===

impl Log {
    pub(crate) const fn new(max_slots: usize) -> Self {
        Self { windows: BTreeMap::new(), slots: 0, max_slots }
    }

    /// Adds the slot that follows the window's last; any other is already there or below the window.
    pub(crate) fn push(&mut self, origin: ReplicaId, counter: u64, key: Key) {
        let window = self.windows.entry(origin).or_default();
        if counter != window.end() + 1 {
            return;
        }
        window.slots.push_back(key);
        self.slots += 1;
        self.cut_to_size();
    }

    /// The counter above which the window has slots.
    pub(crate) fn start(&self, origin: ReplicaId) -> u64 {
        self.windows.get(&origin).map_or(0, |window| window.start)
    }

    /// The slots of an origin above a counter, in order; none if the counter is outside the window.
    pub(crate) fn slots(&self, origin: ReplicaId, from: u64) -> impl Iterator<Item = (u64, &Key)> + '_ {
        let window = self.windows.get(&origin).filter(|window| (window.start..window.end()).contains(&from));
        window.into_iter().flat_map(move |window| {
            let skip = (from - window.start) as usize;
            (from + 1..).zip(window.slots.range(skip..))
        })
    }

    /// Forgets the slots up to a counter.
    pub(crate) fn cut(&mut self, origin: ReplicaId, through: u64) {
        let Some(window) = self.windows.get_mut(&origin) else {
            return;
        };
        while window.start < through && window.slots.pop_front().is_some() {
            window.start += 1;
            self.slots -= 1;
        }
    }

    /// The window starts here from now on: what is below arrived without slots.
    pub(crate) fn restart(&mut self, origin: ReplicaId, start: u64) {
        let window = self.windows.entry(origin).or_default();
        self.slots -= window.slots.len();
        *window = Window { start, slots: VecDeque::new() };
    }

    /// How many slots there are.
    pub(crate) const fn len(&self) -> usize {
        self.slots
    }

    fn cut_to_size(&mut self) {
        while self.slots > self.max_slots {
            let Some(window) = self.windows.values_mut().max_by_key(|window| window.slots.len()) else {
                return;
            };
            window.slots.pop_front();
            window.start += 1;
            self.slots -= 1;
        }
    }
}

// === impl Window ===

impl Window {
    fn end(&self) -> u64 {
        self.start + self.slots.len() as u64
    }
}
