//! The writes of one origin that are not yet stable, in four bytes each: their counters follow one another.

use std::collections::VecDeque;

use crate::log::Slot;
use crate::store::RecordId;

/// Says of a slot, beside its record, that the next write belongs to the same batch.
const CONTINUES: u32 = 1 << (u32::BITS - 1);

/// Slots for which room is kept in any case.
const MIN_ROOM: usize = 64;

/// A window that fills less than this part of its room gives the rest back: it was full while a member was away.
const MIN_PART: usize = 4;

/// The writes of one origin above a counter, each with its slot.
#[derive(Debug, Default)]
pub(super) struct Window {
    start: u64,
    /// What each slot's write touched.
    records: VecDeque<u32>,
}

// === impl Window ===

impl Window {
    /// Without slots, from here on.
    pub(super) const fn from(start: u64) -> Self {
        Self { start, records: VecDeque::new() }
    }

    /// The counter above which there are slots.
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// The counter of the last slot.
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.records.len() as u64)
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Adds the slot of the next counter.
    pub(super) fn push(&mut self, record: RecordId, continues: bool) {
        self.records.push_back(record.bits() | if continues { CONTINUES } else { 0 });
    }

    /// The last slot belongs to one batch with the next.
    pub(super) fn continue_last(&mut self) {
        if let Some(record) = self.records.back_mut() {
            *record |= CONTINUES;
        }
    }

    /// The slots above a counter, in order.
    pub(super) fn slots(&self, from: u64) -> impl Iterator<Item = Slot> + '_ {
        let skip = self.below(from);
        self.records.range(skip..).enumerate().map(move |(at, bits)| {
            let record = RecordId::from_bits(bits & !CONTINUES);
            let place = (skip + at) as u64 + 1;
            Slot { counter: self.start.saturating_add(place), record, continues: bits & CONTINUES != 0 }
        })
    }

    /// Forgets the slots up to a counter. Says what they had touched.
    pub(super) fn cut(&mut self, through: u64) -> impl Iterator<Item = RecordId> + '_ {
        let cut = self.below(through);
        self.start += cut as u64;
        // Not by `drain`, which takes longer for one slot than all else: most cuts of a busy shard are short.
        (0..cut).filter_map(|_| Some(RecordId::from_bits(self.records.pop_front()? & !CONTINUES)))
    }

    /// Gives back room that is not needed any more.
    pub(super) fn shrink(&mut self) {
        let len = self.records.len();
        if len * MIN_PART < self.records.capacity() && self.records.capacity() > MIN_ROOM {
            self.records.shrink_to(MIN_ROOM.max(2 * len));
        }
    }

    /// How many slots have counters up to this one.
    fn below(&self, counter: u64) -> usize {
        let below = usize::try_from(counter.saturating_sub(self.start)).unwrap_or(usize::MAX);
        below.min(self.records.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What becomes of a window: a slot at the end, or a cut so far above the start.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Push { continues: bool },
        Continue,
        Cut { through: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            16 => any::<bool>().prop_map(|continues| Step::Push { continues }),
            1 => Just(Step::Continue),
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
                    Step::Push { continues } => {
                        end += 1;
                        let record = RecordId::from_bits(number as u32 % 50);
                        window.push(record, continues);
                        model.push_back(Slot { counter: end, record, continues });
                    }
                    Step::Continue => {
                        window.continue_last();
                        model.iter_mut().next_back().into_iter().for_each(|slot| slot.continues = true);
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
                prop_assert_eq!((window.start(), window.end(), window.len()), (start, end, model.len()));
                for from in [0, start, (start + end) / 2, end] {
                    prop_assert!(window.slots(from).eq(model.iter().filter(|slot| slot.counter > from).copied()));
                }
            }
        }
    }

    #[test]
    fn a_window_that_was_full_gives_its_room_back() {
        let mut window = Window::from(0);
        for _ in 0..10_000 {
            window.push(RecordId::FIRST, false);
        }
        assert_eq!(window.cut(9_999).count(), 9_999);
        window.shrink();
        assert!(window.records.capacity() <= 2 * MIN_ROOM);
        assert_eq!(window.slots(0).map(|slot| slot.counter).collect::<Vec<u64>>(), [10_000]);
    }
}
