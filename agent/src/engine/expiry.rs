//! Drops what has expired, in time and in small steps: reads hide it from its deadline on anyway.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use baton_replica::{Effects, Shard};
use tokio::time::timeout;

use crate::engine::{Engine, ShardCell, wall_millis};

/// No deadline at all.
pub(super) const NEVER: u64 = u64::MAX;

/// Keys dropped under one hold of a shard's lock: some hundred microseconds, in which no write of that shard is taken.
const STEP: usize = 256;

/// How much later than its deadline something may be dropped: what expires in a crowd is dropped in one go.
const GATHER: Duration = Duration::from_millis(20);

/// The longest sleep: the wall clock, by which things expire, may jump.
const LONGEST: Duration = Duration::from_secs(60);

/// Drops what has expired until the process ends. Sleeps while nothing will.
pub(crate) async fn expire(engine: Arc<Engine>) {
    loop {
        let wait = Duration::from_millis(engine.next_deadline().saturating_sub(wall_millis()));
        // Woken early when something with an earlier deadline has come.
        let _ = timeout(wait.saturating_add(GATHER).min(LONGEST), engine.expiry.notified()).await;
        for index in 0..engine.shards.len() {
            while engine.expire_some(index) {
                tokio::task::yield_now().await;
            }
        }
    }
}

// === impl Engine ===

impl Engine {
    /// When the next version of any shard expires, in Unix milliseconds.
    fn next_deadline(&self) -> u64 {
        self.shards.iter().map(|cell| cell.deadline.load(Ordering::Acquire)).min().unwrap_or(NEVER)
    }

    /// A shard has changed.
    pub(super) fn note_deadline(&self, cell: &ShardCell, shard: &Shard) {
        let next = shard.next_deadline().unwrap_or(NEVER);
        if next < cell.deadline.swap(next, Ordering::AcqRel) {
            self.expiry.notify_one();
        }
    }

    /// Drops a bounded number of a shard's keys; says whether more have expired.
    fn expire_some(&self, index: usize) -> bool {
        let now = wall_millis();
        if self.shards[index].deadline.load(Ordering::Acquire) > now {
            return false;
        }
        let mut more = false;
        self.with_shard(index, None, |shard| {
            more = shard.expire(now, STEP);
            Effects::default()
        });
        more
    }
}
