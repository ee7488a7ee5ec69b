//! What two replicas of one shard say to each other.

use crate::packed::UnpackedItem;
use crate::{Entry, Key, MembershipVersion, Packed, ReplicaId, Sum, VersionVector};

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
    /// What the sender holds of a replica that is gone.
    Settle(Settle),
    /// What the sender's state sums up to.
    Digest(Digest),
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
    /// How often the receiver had told the sender, on this link, that it leaves: the [`Self::leaving`] that it answers.
    pub heard_leaving: u64,
    /// How often the sender has asked who has what it holds, since it leaves; 0 while it does not.
    pub leaving: u64,
    /// The replicas that started empty, of whose states the sender's is made, in order; said when `full`.
    pub founders: Vec<ReplicaId>,
}

/// The writes `(from, to]` of one origin, with the current entry of every key that they touched; or some of the entries,
/// sent ahead of it: without slots, and up to nothing.
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
    /// Counters whose write belongs to one batch with the next.
    pub continued: Vec<u64>,
    /// The highest fencing token that the sender has seen.
    pub token: u64,
    /// The most acknowledgements that any write asked for, as far as the sender has heard.
    pub level: u32,
}

/// A key that a range touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeItem {
    /// The key.
    pub key: Key,
    /// The origin's counters that wrote it, increasing.
    pub slots: Vec<u64>,
    /// Its entry when the range was made; empty if it was sent ahead.
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
    /// The ids that the sender's member list names, in order: it has seen all that others wrote.
    pub listed: Vec<ReplicaId>,
    /// The replicas that started empty, of whose states the sender's was made when the transfer began, in order.
    pub founders: Vec<ReplicaId>,
    /// The highest fencing token that the sender has seen.
    pub token: u64,
    /// The most acknowledgements that any write asked for, as far as the sender has heard.
    pub level: u32,
    /// The interval is `(after, through]`; `None` is unbounded.
    pub after: Option<Key>,
    /// The interval's last key; `None` in the last chunk only.
    pub through: Option<Key>,
    /// How many keys the sender has in all, tombstones included: a hint.
    pub keys: u32,
    /// Entries in key order.
    pub items: Packed,
}

/// What one member holds of a replica that is gone, in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    /// Who is gone.
    pub origin: ReplicaId,
    /// The set of ids that the sender's member list names; the receiver's must be the same.
    pub round: u64,
    /// The sender's clock for the origin.
    pub seen: u64,
    /// Whether this is the last part.
    pub last: bool,
    /// Entries that hold dots of the origin above that.
    pub items: Vec<ChunkItem>,
    /// The highest fencing token that the sender has seen.
    pub token: u64,
}

/// What the state of a shard sums up to; comparable only where all else is equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The list that the sender goes by.
    pub membership: MembershipVersion,
    /// What it has seen.
    pub clock: VersionVector,
    /// The sum over its live versions that do not expire.
    pub sum: Sum,
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
        let mut slots: Vec<u64> = self.items.iter().flat_map(|item| item.slots.iter().copied()).collect();
        slots.sort_unstable();
        let next = |end: u64, slot: &u64| (end.checked_add(1) == Some(*slot)).then_some(*slot);
        slots.iter().try_fold(self.from, next) == Some(self.to)
    }

    /// Whether these are entries that go ahead of the range.
    pub const fn is_ahead(&self) -> bool {
        self.from == self.to && !self.items.is_empty()
    }
}

// === impl Chunk ===

impl Chunk {
    /// Whether the transfer ends with this chunk.
    pub const fn is_last(&self) -> bool {
        self.through.is_none()
    }

    /// Whether the items are in order and inside the interval.
    pub(crate) fn is_whole(&self, items: &[UnpackedItem<'_>]) -> bool {
        let (first, last) = (items.first(), items.last());
        items.is_sorted_by(|a, b| a.key < b.key)
            && self.after.as_ref().zip(first).is_none_or(|(after, first)| first.key > after.borrow())
            && self.through.as_ref().zip(last).is_none_or(|(end, last)| last.key <= end.borrow())
    }
}
