//! What retired replicas have added to a counter is taken over when there is too much of it.

use crate::counter;
use crate::operation::Author;
use crate::shard::Shard;

// === impl Shard ===

impl Shard {
    /// Takes over what retired replicas have added, with the arrival of an addition and never by itself: it would bring
    /// back counters that somebody is deleting.
    pub(super) fn absorb_crowded(&mut self, now: u64) {
        for key in std::mem::take(&mut self.crowded) {
            let can = self.store.get(&key).is_some_and(|entry| counter::can_add(&entry, 0, &self.roster).is_ok());
            if can {
                let hlc = self.hlc.tick(now);
                let token = 0;
                self.make_write(&key, false, |entry, dot, roster| {
                    counter::add(entry, 0, &Author { roster, dot, hlc, token, now });
                });
                self.end_writes();
            }
        }
    }
}
