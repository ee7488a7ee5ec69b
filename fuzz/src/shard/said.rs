//! What a peer says: messages whose numbers are near those that the replica waits for, or at the end of their range.

use arbitrary::Arbitrary;
use baton_replica::{
    Applied, Chunk, ChunkItem, Digest, Dot, Entry, Hlc, Key, MembershipVersion, Range, RangeItem, Settle, ShardMessage,
    Sum, VersionVector,
};

use crate::replica::{Replica, id, key};
use crate::shard::part::{Clock, Item, Number, Origin, Slots, dealt, ids, ordered, theirs};

/// A message.
#[derive(Arbitrary, Debug)]
pub(super) enum Said {
    Applied {
        clock: Clock,
        flags: [bool; 4],
        founders: Vec<Origin>,
    },
    Range {
        origin: Origin,
        /// What the replica has seen if there is none.
        from: Option<Number>,
        slots: Option<Slots>,
        items: Vec<Item>,
        continued: Vec<Number>,
        token: u64,
        level: u32,
    },
    Pull {
        origin: Origin,
        from: Number,
    },
    Behind {
        origin: Origin,
    },
    Fetch {
        transfer: u8,
    },
    Chunk {
        /// Other than what follows in the transfer that the replica asked for.
        astray: Option<Astray>,
        clock: Clock,
        through: Option<u8>,
        items: Vec<Item>,
        /// The ids; those that the replica lists if there are none.
        listed: Option<Vec<Origin>>,
        founders: Vec<Origin>,
        token: u64,
    },
    ChunkSeen {
        transfer: u8,
        index: Number,
    },
    Settle {
        origin: Origin,
        /// The round that the replica is in, if there is none.
        round: Option<u64>,
        seen: Number,
        last: bool,
        items: Vec<Item>,
        token: u64,
    },
    Digest {
        list: Option<u64>,
        clock: Clock,
        sum: u8,
    },
}

/// What is wrong with a chunk.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Astray {
    Transfer(u8),
    Index(u8),
    After(Option<u8>),
}

/// How far the transfer that the replica asked for has come.
#[derive(Debug, Default)]
pub(super) struct Course {
    transfer: u32,
    next: u32,
    after: Option<Key>,
    clock: VersionVector,
}

// === impl Said ===

impl Said {
    /// Whether it belongs to the transfer that the replica asked for.
    pub(super) const fn is_of_course(&self) -> bool {
        matches!(self, Self::Chunk { astray: None, .. })
    }

    /// The message.
    pub(super) fn message(&self, replica: &Replica, course: &mut Course) -> ShardMessage {
        match self {
            Self::Applied { clock, flags: [full, answers_range, heard_leaving, leaving], founders } => {
                ShardMessage::Applied(Applied {
                    clock: clock.resolve(replica),
                    full: *full,
                    answers_range: *answers_range,
                    heard_leaving: (*heard_leaving).into(),
                    leaving: (*leaving).into(),
                    founders: ids(founders),
                })
            }
            Self::Range { origin, from, slots, items, continued, token, level } => {
                let resolve = |number: &Number| number.resolve(replica, *origin);
                let from = resolve(&from.unwrap_or(Number::Seen(0)));
                let (items, to) = dealt(replica, *origin, from, slots.as_ref().unwrap_or(&Slots::Dealt), items);
                ShardMessage::Range(Range {
                    origin: origin.id(),
                    from,
                    to,
                    items,
                    continued: continued.iter().map(resolve).collect(),
                    token: *token,
                    level: *level,
                })
            }
            Self::Pull { origin, from } => {
                ShardMessage::Pull { origin: origin.id(), from: from.resolve(replica, *origin) }
            }
            Self::Behind { origin } => ShardMessage::Behind { origin: origin.id() },
            Self::Fetch { transfer } => ShardMessage::Fetch { transfer: u32::from(*transfer) },
            Self::Chunk { astray, clock, through, items, listed, founders, token } => {
                course.follow(replica, || clock.resolve(replica));
                let mut chunk = Chunk {
                    transfer: course.transfer,
                    index: course.next,
                    clock: course.clock.clone(),
                    listed: listed.as_deref().map_or_else(|| replica.listed(), ids),
                    founders: ids(founders),
                    token: *token,
                    level: 0,
                    keys: *token as u32,
                    after: course.after.clone(),
                    through: through.map(key),
                    items: ordered(replica, items).into_iter().collect(),
                };
                match *astray {
                    None => course.sent(&chunk),
                    Some(Astray::Transfer(transfer)) => chunk.transfer = u32::from(transfer),
                    Some(Astray::Index(index)) => chunk.index = u32::from(index),
                    Some(Astray::After(after)) => chunk.after = after.map(key),
                }
                ShardMessage::Chunk(chunk)
            }
            Self::ChunkSeen { transfer, index } => {
                let index = index.resolve(replica, Origin::Near(0)) as u32;
                ShardMessage::ChunkSeen { transfer: u32::from(*transfer), index }
            }
            Self::Settle { origin, round, seen, last, items, token } => ShardMessage::Settle(Settle {
                origin: origin.id(),
                round: round.unwrap_or_else(|| replica.round()),
                seen: seen.resolve(replica, *origin),
                last: *last,
                items: ordered(replica, items),
                token: *token,
            }),
            Self::Digest { list, clock, sum } => ShardMessage::Digest(Digest {
                membership: version_of_list(list.unwrap_or(1)),
                clock: clock.resolve(replica),
                sum: Sum::from_bits(u128::from_le_bytes([*sum; 16])),
            }),
        }
    }
}

fn version_of_list(number: u64) -> MembershipVersion {
    MembershipVersion { uid: "uid".into(), number }
}

// === impl Course ===

impl Course {
    /// Begins again if the replica has asked for another transfer.
    fn follow(&mut self, replica: &Replica, clock: impl FnOnce() -> VersionVector) {
        let asked = replica.fetch().map_or(0, |fetch| fetch.transfer);
        if asked != self.transfer || self.next == 0 {
            *self = Self { transfer: asked, next: 0, after: None, clock: clock() };
        }
    }

    fn sent(&mut self, chunk: &Chunk) {
        self.next += 1;
        self.after.clone_from(&chunk.through);
    }
}

/// One message of each kind, as a peer says them to a replica that joins and lives on.
pub(crate) fn conversation() -> Vec<ShardMessage> {
    let pairs = |pairs: &[(u64, u64)]| -> VersionVector { pairs.iter().map(|(who, seen)| (id(*who), *seen)).collect() };
    let clock = pairs(&[(1, 4), (2, 2), (3, 1)]);
    let put = theirs(Dot { replica: id(2), counter: 1 }, Hlc::from_bits(1_700_000_000_000 << 16));
    let entry = Entry::new(vec![put], VersionVector::new());
    let tombstone = Entry::new(Vec::new(), pairs(&[(2, 2)]));
    let held = |number| ChunkItem { key: key(number), entry: entry.clone() };
    let chunk = |index, after, through, items: Vec<ChunkItem>| {
        ShardMessage::Chunk(Chunk {
            transfer: 1,
            index,
            clock: clock.clone(),
            listed: Vec::new(),
            founders: Vec::new(),
            token: 0,
            level: 0,
            keys: 0,
            after,
            through,
            items: items.into_iter().collect(),
        })
    };
    let applied = Applied {
        clock: clock.clone(),
        full: true,
        answers_range: false,
        heard_leaving: 1,
        leaving: 0,
        founders: Vec::new(),
    };
    let touched = |number, slot, entry: &Entry| RangeItem { key: key(number), slots: vec![slot], entry: entry.clone() };
    let range = Range {
        origin: id(2),
        from: 0,
        to: 2,
        items: vec![touched(2, 1, &entry), touched(3, 2, &tombstone)],
        continued: Vec::new(),
        token: 1,
        level: 0,
    };
    let items = vec![ChunkItem { key: key(3), entry: tombstone }];
    vec![
        chunk(0, None, Some(key(2)), vec![held(0), held(2)]),
        chunk(1, Some(key(2)), None, vec![held(1)]),
        ShardMessage::Applied(applied),
        ShardMessage::Range(range),
        ShardMessage::Pull { origin: id(1), from: 0 },
        ShardMessage::Pull { origin: id(2), from: 1 },
        ShardMessage::Behind { origin: id(2) },
        ShardMessage::Fetch { transfer: 1 },
        ShardMessage::ChunkSeen { transfer: 1, index: 0 },
        ShardMessage::Settle(Settle { origin: id(2), round: 0, seen: 2, last: true, items, token: 0 }),
        ShardMessage::Digest(Digest { membership: version_of_list(1), clock, sum: Sum::default() }),
    ]
}
