//! What two replicas of one shard say to each other.

use crate::{Entry, Key, ReplicaId, VersionVector};

/// A message about one shard. Between two replicas messages travel in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardMessage {
    /// What the sender has applied.
    Applied(Applied),
    /// Writes of one origin.
    Range(Range),
    /// Asks for the writes of an origin that does not send them itself, above a counter.
    Pull {
        /// Whose writes.
        origin: ReplicaId,
        /// Above which counter.
        from: u64,
    },
    /// The sender's window of this origin starts too late to serve the receiver, who must join by full state.
    Behind {
        /// Whose writes.
        origin: ReplicaId,
    },
    /// Asks for a full-state transfer.
    Fetch {
        /// The receiver's name for the transfer.
        transfer: u32,
    },
    /// A part of a full-state transfer.
    Chunk(Chunk),
    /// A chunk was applied.
    ChunkSeen {
        /// Of which transfer.
        transfer: u32,
        /// Which chunk.
        index: u32,
    },
}

/// An acknowledgement: the applied version vector, never a boolean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Entries that changed since the last one on this link; all of them when `full`.
    pub clock: VersionVector,
    /// The first on a link, which subscribes, and the first after the receiver's departure was heard of.
    pub full: bool,
    /// Answers the receiver's range that is in flight.
    pub answers_range: bool,
    /// The sender knew that the receiver is leaving.
    pub heard_leaving: bool,
    /// The sender itself was leaving.
    pub leaving: bool,
}

/// The writes `(from, to]` of one origin, with the current entry of every key that they touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Whose writes.
    pub origin: ReplicaId,
    /// Above this counter.
    pub from: u64,
    /// Up to this counter.
    pub to: u64,
    /// Every counter of the range is a slot of exactly one item.
    pub items: Vec<RangeItem>,
}

/// A key that a range touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeItem {
    /// The key.
    pub key: Key,
    /// The origin's counters that wrote it, increasing.
    pub slots: Vec<u64>,
    /// Its entry when the range was made.
    pub entry: Entry,
}

/// All entries in one interval of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The receiver's name for the transfer.
    pub transfer: u32,
    /// From 0.
    pub index: u32,
    /// What the sender had seen when the transfer began.
    pub clock: VersionVector,
    /// The interval is `(after, through]`; `None` is unbounded.
    pub after: Option<Key>,
    /// The interval's last key; `None` in the last chunk only.
    pub through: Option<Key>,
    /// Entries in key order.
    pub items: Vec<ChunkItem>,
}

/// A key in a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkItem {
    /// The key.
    pub key: Key,
    /// Its entry when the chunk was made.
    pub entry: Entry,
}

// === impl Range ===

impl Range {
    /// Whether the range carries exactly what it claims: each counter in `(from, to]` once.
    pub fn is_whole(&self) -> bool {
        let Some(width) = self.to.checked_sub(self.from) else {
            return false;
        };
        let mut slots: Vec<u64> = self.items.iter().flat_map(|item| item.slots.iter().copied()).collect();
        slots.sort_unstable();
        let follows = |(at, slot): (usize, &u64)| slot.checked_sub(self.from) == Some(at as u64 + 1);
        slots.len() as u64 == width && slots.iter().enumerate().all(follows)
    }
}

// === impl Chunk ===

impl Chunk {
    /// Whether the transfer ends with this chunk.
    pub const fn is_last(&self) -> bool {
        self.through.is_none()
    }

    /// Whether the items are in order and inside the interval.
    pub fn is_whole(&self) -> bool {
        let sorted = self.items.is_sorted_by(|a, b| a.key < b.key);
        let inside = |key: &Key| {
            self.after.as_ref().is_none_or(|after| key > after) && self.through.as_ref().is_none_or(|end| key <= end)
        };
        sorted && self.items.iter().all(|item| inside(&item.key))
    }
}
