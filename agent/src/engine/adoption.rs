//! Takes over what departed members owned, in small steps, and says what a leaver still waits for.

use std::sync::Arc;

use baton_replica::{Adoption, Effects, Handover, Shard, Wake};
use tokio::task::yield_now;

use crate::engine::{Engine, wall_millis};

/// Keys that are looked at under one hold of a shard's lock: some hundred microseconds, in which no write of that shard is
/// taken.
const STEP: usize = 256;

/// Adopts until the process ends. Sleeps while no owner has departed.
pub(crate) async fn adopt(engine: Arc<Engine>) {
    loop {
        engine.orphaned.notified().await;
        for index in 0..engine.shards.len() {
            while engine.adopt_some(index) {
                yield_now().await;
            }
        }
    }
}

// === impl Engine ===

impl Engine {
    /// What this process's keys wait for, if it leaves.
    pub(crate) fn handover(&self) -> Handover {
        let shards = (0..self.shards.len()).map(|index| self.inspect(index, Shard::handover));
        shards.fold(Handover::default(), Handover::and)
    }

    /// What of that the group asks this process to wait for.
    pub(crate) fn awaited_handover(&self) -> Handover {
        self.handover().awaited(self.settings().completion)
    }

    /// A shard has changed.
    pub(super) fn note_orphans(&self, shard: &Shard) {
        if shard.adoption_due() {
            self.orphaned.notify_one();
        }
    }

    /// Looks at a bounded number of a shard's keys; says whether there may be more.
    fn adopt_some(&self, index: usize) -> bool {
        let mut adoption = Adoption::default();
        self.with_shard(index, None, |shard| {
            adoption = shard.adopt(wall_millis(), STEP);
            let wake = if adoption.writes > 0 { Wake::All } else { Wake::Nobody };
            Effects { wake, ..Effects::default() }
        });
        if adoption.writes > 0 {
            self.sessions.note_adoption();
        }
        adoption.more
    }
}
