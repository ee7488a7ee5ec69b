//! The writes of one origin that are not yet stable, in four bytes each: their counters follow one another, mostly.

use std::collections::VecDeque;

use crate::log::Slot;
use crate::store::RecordId;

/// Says of a slot, beside its record, that the next write belongs to the same batch.
const CONTINUES: u32 = 1 << (u32::BITS - 1);

/// Slots for which room is kept in any case.
const MIN_ROOM: usize = 64;

/// A window that fills less than this part of its room gives the rest back: it was full while a member was away.
const MIN_PART: usize = 4;

/// The writes `(start, end]` of one origin. Counters without a slot are closed: their replica is gone, and nobody holds
/// anything of them.
#[derive(Debug, Default)]
pub(super) struct Window {
    start: u64,
    end: u64,
    /// What each slot's write touched.
    records: VecDeque<u32>,
    /// The counters. The first slot is in the first run, the last one in the last.
    runs: VecDeque<Run>,
    /// How many slots were cut.
    gone: u64,
}

/// Slots whose counters follow one another.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The counter of the first.
    counter: u64,
    /// How many slots there ever were before it.
    place: u64,
}

// === impl Window ===

impl Window {
    /// Without slots, from here on.
    pub(super) fn from(start: u64) -> Self {
        Self { start, end: start, ..Self::default() }
    }

    /// The counter above which there are slots.
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The counter of the first slot.
    pub(super) fn first(&self) -> Option<u64> {
        self.slots(0).next().map(|slot| slot.counter)
    }

    /// Adds a slot above the end.
    pub(super) fn push(&mut self, slot: Slot) {
        debug_assert!(slot.counter > self.end, "slots are added in order");
        self.end = slot.counter;
        let place = self.gone + self.records.len() as u64;
        if self.runs.back().is_none_or(|run| run.counter_at(place) != slot.counter) {
            self.runs.push_back(Run { counter: slot.counter, place });
        }
        self.records.push_back(slot.record.bits() | if slot.continues { CONTINUES } else { 0 });
    }

    /// The last slot belongs to one batch with the next.
    pub(super) fn continue_last(&mut self) {
        if let Some(record) = self.records.back_mut() {
            *record |= CONTINUES;
        }
    }

    /// Counters up to here are closed if they have no slot.
    pub(super) fn close(&mut self, through: u64) {
        self.end = self.end.max(through);
    }

    /// The slots above a counter, in order.
    pub(super) fn slots(&self, from: u64) -> impl Iterator<Item = Slot> + '_ {
        let skip = self.below(from);
        let mut runs =
            self.runs.range(self.runs.partition_point(|run| run.place <= self.gone + skip as u64).max(1) - 1..);
        let mut run = runs.next();
        let mut next = runs.next();
        self.records.range(skip..).zip(self.gone + skip as u64..).map_while(move |(bits, place)| {
            if next.is_some_and(|next| next.place == place) {
                run = std::mem::replace(&mut next, runs.next());
            }
            let record = RecordId::from_bits(bits & !CONTINUES);
            Some(Slot { counter: run?.counter_at(place), record, continues: bits & CONTINUES != 0 })
        })
    }

    /// Forgets the slots up to a counter. Says what they had touched.
    pub(super) fn cut(&mut self, through: u64) -> impl Iterator<Item = RecordId> + '_ {
        let cut = self.below(through);
        self.gone += cut as u64;
        self.start = self.start.max(through.min(self.end));
        while self.runs.get(1).is_some_and(|next| next.place <= self.gone) {
            self.runs.pop_front();
        }
        if cut == self.records.len() {
            self.runs.clear();
        }
        // Not by `drain`, which takes longer for one slot than all else: most cuts of a busy shard are short.
        (0..cut).filter_map(|_| Some(RecordId::from_bits(self.records.pop_front()? & !CONTINUES)))
    }

    /// Gives back room that is not needed any more.
    pub(super) fn shrink(&mut self) {
        let len = self.records.len();
        if len * MIN_PART < self.records.capacity() && self.records.capacity() > MIN_ROOM {
            self.records.shrink_to(MIN_ROOM.max(2 * len));
            self.runs.shrink_to(MIN_ROOM.max(2 * self.runs.len()));
        }
    }

    /// How many slots have counters up to this one.
    fn below(&self, counter: u64) -> usize {
        let after = self.runs.partition_point(|run| run.counter <= counter);
        let end = self.runs.get(after).map_or(self.gone + self.records.len() as u64, |run| run.place);
        let Some(run) = after.checked_sub(1).and_then(|at| self.runs.get(at)) else { return 0 };
        let place = run.place.saturating_add(counter - run.counter).saturating_add(1).min(end);
        place.saturating_sub(self.gone) as usize
    }
}

// === impl Run ===

impl Run {
    const fn counter_at(self, place: u64) -> u64 {
        self.counter.wrapping_add(place - self.place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What becomes of a window: a slot so far above the end, or a cut or an end so far above the start.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Push { gap: u64, continues: bool },
        Continue,
        Close { gap: u64 },
        Cut { through: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        let gap = prop_oneof![12 => Just(0_u64), 1 => 1..4_u64];
        prop_oneof![
            16 => (gap, any::<bool>()).prop_map(|(gap, continues)| Step::Push { gap, continues }),
            1 => Just(Step::Continue),
            1 => (0..3_u64).prop_map(|gap| Step::Close { gap }),
            1 => prop_oneof![0..40_u64, Just(u64::MAX / 2)].prop_map(|through| Step::Cut { through }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_window_holds_the_slots_that_were_not_cut(
            first in 0..3_u64,
            steps in proptest::collection::vec(step(), 0..400),
        ) {
            let (mut window, mut model) = (Window::from(first), VecDeque::<Slot>::new());
            let (mut start, mut end) = (first, first);
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push { gap, continues } => {
                        end += gap + 1;
                        let slot = Slot { counter: end, record: RecordId::from_bits(number as u32 % 50), continues };
                        window.push(slot);
                        model.push_back(slot);
                    }
                    Step::Continue => {
                        window.continue_last();
                        model.iter_mut().next_back().into_iter().for_each(|slot| slot.continues = true);
                    }
                    Step::Close { gap } => {
                        end += gap;
                        window.close(end);
                    }
                    Step::Cut { through } => {
                        let through = start + through;
                        let cut: Vec<RecordId> = window.cut(through).collect();
                        window.shrink();
                        let left = model.split_off(model.partition_point(|slot| slot.counter <= through));
                        prop_assert!(cut.into_iter().eq(model.iter().map(|slot| slot.record)));
                        model = left;
                        start = start.max(through.min(end));
                    }
                }
                prop_assert_eq!((window.start(), window.len()), (start, model.len()));
                prop_assert_eq!(window.first(), model.front().map(|slot| slot.counter));
                for from in [0, start, (start + end) / 2, end] {
                    prop_assert!(window.slots(from).eq(model.iter().filter(|slot| slot.counter > from).copied()));
                }
            }
        }
    }

    #[test]
    fn a_window_that_was_full_gives_its_room_back() {
        let mut window = Window::from(0);
        for counter in 1..=10_000 {
            window.push(Slot { counter, record: RecordId::FIRST, continues: false });
        }
        assert_eq!(window.cut(9_999).count(), 9_999);
        window.shrink();
        assert!(window.records.capacity() <= 2 * MIN_ROOM);
        assert_eq!(window.slots(0).map(|slot| slot.counter).collect::<Vec<u64>>(), [10_000]);
    }
}
