//! Virtual time: what happens when, and in which order when at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events in the order of their time; those of one time in the order in which they were added.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Reverse<(u64, u64, usize)>>,
    /// Events by slot; a slot is used again when its event has happened.
    slots: Vec<Option<E>>,
    free: Vec<usize>,
    added: u64,
}

// === impl Queue ===

impl<E> Queue<E> {
    pub(crate) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), added: 0 }
    }

    pub(crate) fn add(&mut self, at: u64, event: E) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(event);
        self.heap.push(Reverse((at, self.added, slot)));
        self.added += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, E)> {
        let Reverse((at, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        Some((at, self.slots[slot].take()?))
    }
}
