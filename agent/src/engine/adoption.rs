//! Takes over what departed members owned, in small steps.

use std::sync::Arc;

use baton_replica::{Adoption, Effects, Shard, Wake};
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
