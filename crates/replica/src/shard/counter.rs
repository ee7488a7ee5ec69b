//! What retired replicas have added to a counter is taken over when there is too much of it.

use crate::operation::Author;
use crate::shard::Shard;
use crate::{Entry, Operation};

// === impl Shard ===

impl Shard {
    /// Takes over what retired replicas have added, with the arrival of an addition and never by itself: it would bring
    /// back counters that somebody is deleting.
    pub(super) fn absorb_crowded(&mut self, now: u64) {
        for key in std::mem::take(&mut self.crowded) {
            let addition = Operation::Increment(0);
            let can = |entry: &Entry| addition.need(Some(entry), &self.roster, now).is_ok();
            if self.store.get(&key).is_some_and(|entry| can(&entry)) {
                let hlc = self.hlc.tick(now);
                let token = 0;
                self.make_write(&key, false, |entry, dot, roster| {
                    addition.apply(entry, &Author { roster, dot, hlc, token, now })
                });
                self.end_writes();
            }
        }
    }
}
