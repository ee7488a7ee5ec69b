//! What shards hold, in two numbers that a heartbeat carries: agents that have seen the same must hold the same.
//!
//! All shards together are compared at once. That fails while one of them is busy, so each is also compared by itself, in
//! its turn.

use std::ops::Range;
use std::time::Instant;

use baton_replica::{ReplicaId, Shard};
use tracing::error;
use xxhash_rust::xxh3::Xxh3Default;

use crate::engine::Engine;

/// What all shards hold, or one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Which it is; `None` for all of them.
    pub(crate) shard: Option<usize>,
    /// Names what has been seen, and by which member list.
    pub(crate) seen: u64,
    /// What the live versions sum up to.
    pub(crate) sum: u64,
}

// === impl Engine ===

impl Engine {
    /// The summary of all shards; `None` while one of them cannot be compared with anybody's.
    pub(crate) fn summary(&self) -> Option<Summary> {
        self.summary_of(None)
    }

    /// The summary for a heartbeat: every other one is of all shards if those can be compared, the rest are of one shard
    /// after the other.
    pub(crate) fn summary_in_turn(&self, beat: usize) -> Option<Summary> {
        let all = if beat.is_multiple_of(2) { self.summary() } else { None };
        all.or_else(|| self.summary_of(Some(beat / 2 % self.shard_count())))
    }

    /// `None` while one of the shards cannot be compared, or if there is no such shard.
    fn summary_of(&self, shard: Option<usize>) -> Option<Summary> {
        let (mut seen, mut sum) = (Xxh3Default::new(), Xxh3Default::new());
        for index in self.shards_of(shard)? {
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
        Some(Summary { shard, seen: seen.digest().max(1), sum: sum.digest() })
    }

    /// A peer says what it holds. If it has seen the same and holds something else, the shards find out which of them it
    /// is, and mend it.
    pub(crate) fn compare(&self, peer: ReplicaId, theirs: Summary) {
        let differs =
            self.summary_of(theirs.shard).is_some_and(|mine| mine.seen == theirs.seen && mine.sum != theirs.sum);
        if !differs {
            return;
        }
        if let Some(count) = self.mismatch.lock().failed("", Instant::now()) {
            error!(%peer, count, "A peer has seen the same and holds something else; its state is fetched and added");
        }
        for index in self.shards_of(theirs.shard).into_iter().flatten() {
            self.with_shard(index, None, Shard::offer_digest);
        }
    }

    fn shards_of(&self, shard: Option<usize>) -> Option<Range<usize>> {
        match shard {
            None => Some(0..self.shard_count()),
            Some(index) => (index < self.shard_count()).then(|| index..index + 1),
        }
    }
}
