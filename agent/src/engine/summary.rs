//! What all shards hold, in two numbers that a heartbeat carries: agents that have seen the same must hold the same.

use std::time::Instant;

use baton_replica::{ReplicaId, Shard};
use tracing::error;
use xxhash_rust::xxh3::Xxh3Default;

use crate::engine::Engine;

/// What all shards hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Names what has been seen, and by which member list.
    pub(crate) seen: u64,
    /// What the live versions sum up to.
    pub(crate) sum: u64,
}

// === impl Engine ===

impl Engine {
    /// The summary of all shards; `None` while one of them cannot be compared with anybody's.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let (mut seen, mut sum) = (Xxh3Default::new(), Xxh3Default::new());
        for index in 0..self.shard_count() {
            let digest = self.inspect(index, Shard::digest)?;
            seen.update(digest.membership.uid.as_bytes());
            seen.update(&digest.membership.number.to_le_bytes());
            for (replica, counter) in digest.clock.iter() {
                seen.update(&replica.bits().to_le_bytes());
                seen.update(&counter.to_le_bytes());
            }
            seen.update(&(index as u64).to_le_bytes());
            sum.update(&digest.sum.bits().to_le_bytes());
        }
        Some(Summary { seen: seen.digest().max(1), sum: sum.digest() })
    }

    /// A peer says what it holds. If it has seen the same and holds something else, the shards find out which of them it
    /// is, and mend it.
    pub(crate) fn compare(&self, peer: ReplicaId, theirs: Summary) {
        let differs = self.summary().is_some_and(|mine| mine.seen == theirs.seen && mine.sum != theirs.sum);
        if !differs {
            return;
        }
        if let Some(count) = self.mismatch.lock().failed("", Instant::now()) {
            error!(%peer, count, "A peer has seen the same and holds something else; its state is fetched and added");
        }
        for index in 0..self.shard_count() {
            self.with_shard(index, None, Shard::offer_digest);
        }
    }
}
