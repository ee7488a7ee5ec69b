//! What a peer says: messages whose numbers are near those that the replica waits for, or at the end of their range.

use arbitrary::Arbitrary;
use baton_replica::ReplicaId;
use baton_wire::directory::Version;
use baton_wire::peer::{self as wire, shard_frame::Body};
use bytes::Bytes;

use crate::replica::{Replica, key};

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
        from: Number,
        slots: Slots,
        items: Vec<Item>,
        closed: Vec<Number>,
        continued: Vec<Number>,
        token: u64,
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
        transfer: Option<u8>,
        index: Option<u8>,
        clock: Clock,
        after: Option<Option<u8>>,
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

/// Whose writes: mostly this replica, a peer or one that the list does not name.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Origin {
    Near(u8),
    Any(u64),
}

/// A counter.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Number {
    /// So far from what the replica has seen of the origin.
    Seen(i8),
    Small(u8),
    /// So far below the greatest.
    Greatest(u8),
}

/// A version vector.
#[derive(Arbitrary, Debug)]
pub(super) enum Clock {
    Seen,
    Pairs(Vec<(Origin, Number)>),
    /// So many replicas that nobody knows, from an id on.
    Wide {
        first: u16,
        replicas: u16,
        counter: u64,
    },
    /// Anything, in no order.
    Torn {
        replicas: Vec<u64>,
        counters: Vec<u64>,
    },
}

/// Which counters the items of a range carry.
#[derive(Arbitrary, Debug)]
pub(super) enum Slots {
    /// Each the next one: the range is whole.
    Dealt,
    /// The first item so many, the others the next ones.
    Run(u16),
    /// These, for every item.
    Same(Vec<Number>),
}

/// A key and its entry.
#[derive(Arbitrary, Debug)]
pub(super) struct Item {
    key: u8,
    versions: Vec<(Origin, Number, u64)>,
    context: Option<Clock>,
}

/// How far the transfer that the replica asked for has come.
#[derive(Debug, Default)]
pub(super) struct Course {
    transfer: u32,
    next: u32,
    after: Option<Bytes>,
    clock: wire::VersionVector,
}

// === impl Said ===

impl Said {
    /// Whether it belongs to the transfer that the replica asked for.
    pub(super) const fn is_of_course(&self) -> bool {
        matches!(self, Self::Chunk { transfer: None, .. })
    }

    /// The message for the wire.
    pub(super) fn body(&self, replica: &Replica, course: &mut Course) -> Body {
        match self {
            Self::Applied { clock, flags: [full, answers_range, heard_leaving, leaving], founders } => {
                Body::Applied(wire::Applied {
                    clock: Some(clock.wire(replica)),
                    full: *full,
                    answers_range: *answers_range,
                    heard_leaving: *heard_leaving,
                    leaving: *leaving,
                    founders: ids(founders),
                })
            }
            Self::Range { origin, from, slots, items, closed, continued, token } => {
                let resolve = |numbers: &[Number]| numbers.iter().map(|one| one.resolve(replica, *origin)).collect();
                let range = range(replica, *origin, *from, slots, items);
                Body::Range(wire::Range {
                    closed: resolve(closed),
                    continued: resolve(continued),
                    token: *token,
                    ..range
                })
            }
            Self::Pull { origin, from } => {
                Body::Pull(wire::Pull { origin: origin.bits(), from: from.resolve(replica, *origin) })
            }
            Self::Behind { origin } => Body::Behind(wire::Behind { origin: origin.bits() }),
            Self::Fetch { transfer } => Body::Fetch(wire::Fetch { transfer: u32::from(*transfer) }),
            Self::Chunk { transfer, index, clock, after, through, items, listed, founders, token } => {
                course.follow(replica, || clock.wire(replica));
                let chunk = wire::Chunk {
                    transfer: transfer.map_or(course.transfer, u32::from),
                    index: index.map_or(course.next, u32::from),
                    clock: Some(course.clock.clone()),
                    after: after.map_or_else(|| course.after.clone(), |after| after.map(bytes)),
                    through: through.map(bytes),
                    items: ordered(replica, items),
                    last: through.is_none(),
                    listed: listed.as_deref().map_or_else(|| replica.listed(), ids),
                    founders: ids(founders),
                    token: *token,
                    ..Default::default()
                };
                course.sent(&chunk);
                Body::Chunk(chunk)
            }
            Self::ChunkSeen { transfer, index } => {
                let index = index.resolve(replica, Origin::Near(0)) as u32;
                Body::ChunkSeen(wire::ChunkSeen { transfer: u32::from(*transfer), index })
            }
            Self::Settle { origin, round, seen, last, items, token } => Body::Settle(wire::Settle {
                origin: origin.bits(),
                round: round.unwrap_or_else(|| replica.round()),
                seen: seen.resolve(replica, *origin),
                last: *last,
                items: ordered(replica, items),
                token: *token,
                ..Default::default()
            }),
            Self::Digest { list, clock, sum } => Body::Digest(wire::Digest {
                membership: Some(version_of_list(list.unwrap_or(1))),
                clock: Some(clock.wire(replica)),
                sum: vec![*sum; 16].into(),
            }),
        }
    }
}

fn range(replica: &Replica, origin: Origin, from: Number, slots: &Slots, items: &[Item]) -> wire::Range {
    let from = from.resolve(replica, origin);
    let mut next = from;
    let mut deal = |count: u64| {
        let first = next;
        next = next.saturating_add(count);
        (first..next).map(|slot| slot + 1).collect::<Vec<u64>>()
    };
    let mut items: Vec<wire::Item> = items.iter().map(|item| item.wire(replica)).collect();
    for (at, item) in items.iter_mut().enumerate() {
        item.slots = match slots {
            Slots::Run(count) if at == 0 => deal(u64::from(*count)),
            Slots::Dealt | Slots::Run(_) => deal(1),
            Slots::Same(slots) => slots.iter().map(|slot| slot.resolve(replica, origin)).collect(),
        };
    }
    wire::Range { origin: origin.bits(), from, to: next, items, ..Default::default() }
}

/// The items in the order of their keys, as a chunk has them.
fn ordered(replica: &Replica, items: &[Item]) -> Vec<wire::Item> {
    let mut items: Vec<wire::Item> = items.iter().map(|item| item.wire(replica)).collect();
    items.sort_by(|a, b| a.key.cmp(&b.key));
    items.dedup_by(|a, b| a.key == b.key);
    items
}

/// The ids as a list has them: mostly in order.
fn ids(ids: &[Origin]) -> Vec<u64> {
    let mut ids: Vec<u64> = ids.iter().map(|id| id.bits()).collect();
    if ids.len() < 4 {
        ids.sort_unstable();
    }
    ids
}

fn version_of_list(number: u64) -> Version {
    Version { uid: "uid".into(), number }
}

fn bytes(number: u8) -> Bytes {
    key(number).as_bytes().clone()
}

// === impl Course ===

impl Course {
    /// Begins again if the replica has asked for another transfer.
    fn follow(&mut self, replica: &Replica, clock: impl FnOnce() -> wire::VersionVector) {
        let asked = replica.fetch().map_or(0, |fetch| fetch.transfer);
        if asked != self.transfer || self.next == 0 {
            *self = Self { transfer: asked, next: 0, after: None, clock: clock() };
        }
    }

    fn sent(&mut self, chunk: &wire::Chunk) {
        if (chunk.transfer, chunk.index) == (self.transfer, self.next) {
            self.next += 1;
            self.after.clone_from(&chunk.through);
        }
    }
}

// === impl Origin ===

impl Origin {
    fn bits(self) -> u64 {
        match self {
            Self::Near(number) => u64::from(number % 6) + 1,
            Self::Any(bits) => bits,
        }
    }
}

// === impl Number ===

impl Number {
    fn resolve(self, replica: &Replica, origin: Origin) -> u64 {
        match self {
            Self::Seen(step) => {
                let seen = ReplicaId::new(origin.bits()).map_or(0, |id| replica.shard().clock().get(id));
                seen.saturating_add_signed(i64::from(step / 16))
            }
            Self::Small(number) => u64::from(number),
            Self::Greatest(below) => u64::MAX - u64::from(below / 16),
        }
    }
}

// === impl Clock ===

impl Clock {
    fn wire(&self, replica: &Replica) -> wire::VersionVector {
        let mut pairs: Vec<(u64, u64)> = match self {
            Self::Seen => replica.shard().clock().iter().map(|(id, counter)| (id.bits(), counter)).collect(),
            Self::Pairs(pairs) => {
                pairs.iter().map(|(origin, number)| (origin.bits(), number.resolve(replica, *origin))).collect()
            }
            Self::Wide { first, replicas, counter } => {
                (0..u64::from(replicas % 2048)).map(|step| (u64::from(*first) + step + 1, *counter)).collect()
            }
            Self::Torn { replicas, counters } => {
                return wire::VersionVector { replicas: replicas.clone(), counters: counters.clone() };
            }
        };
        pairs.sort_unstable();
        pairs.dedup_by_key(|pair| pair.0);
        let (replicas, counters) = pairs.into_iter().unzip();
        wire::VersionVector { replicas, counters }
    }
}

// === impl Item ===

impl Item {
    fn wire(&self, replica: &Replica) -> wire::Item {
        let version = |(origin, counter, hlc): &(Origin, Number, u64)| wire::EntryVersion {
            replica: origin.bits(),
            counter: counter.resolve(replica, *origin),
            hlc: hlc.cast_signed(),
            body: Bytes::from_static(b"theirs"),
            ..Default::default()
        };
        wire::Item {
            key: bytes(self.key),
            slots: Vec::new(),
            versions: self.versions.iter().map(version).collect(),
            context: self.context.as_ref().map(|clock| clock.wire(replica)),
            ..Default::default()
        }
    }
}

/// One message of each kind, as a peer says them to a replica that joins and lives on.
pub(crate) fn conversation() -> Vec<Body> {
    let clock = wire::VersionVector { replicas: vec![1, 2, 3], counters: vec![4, 2, 1] };
    let version = wire::EntryVersion {
        replica: 2,
        counter: 1,
        hlc: 1_700_000_000_000 << 16,
        body: Bytes::from_static(b"theirs"),
        content_type: "text/plain".into(),
        ..Default::default()
    };
    let context = wire::VersionVector { replicas: vec![2], counters: vec![2] };
    let item = |number, slots: &[u64]| wire::Item {
        key: bytes(number),
        slots: slots.to_vec(),
        versions: vec![version.clone()],
        ..Default::default()
    };
    let tombstone = wire::Item { key: bytes(3), slots: vec![2], context: Some(context), ..Default::default() };
    let chunk = wire::Chunk { transfer: 1, clock: Some(clock.clone()), ..Default::default() };
    let first = wire::Chunk { through: Some(bytes(2)), items: vec![item(0, &[]), item(2, &[])], ..chunk.clone() };
    let last = wire::Chunk { index: 1, after: Some(bytes(2)), items: vec![item(1, &[])], last: true, ..chunk };
    let applied = wire::Applied { clock: Some(clock.clone()), full: true, heard_leaving: true, ..Default::default() };
    let range =
        wire::Range { origin: 2, to: 2, items: vec![item(2, &[1]), tombstone.clone()], token: 1, ..Default::default() };
    let sum = vec![0; 16].into();
    vec![
        Body::Chunk(first),
        Body::Chunk(last),
        Body::Applied(applied),
        Body::Range(range),
        Body::Pull(wire::Pull { origin: 1, from: 0 }),
        Body::Pull(wire::Pull { origin: 2, from: 1 }),
        Body::Behind(wire::Behind { origin: 2 }),
        Body::Fetch(wire::Fetch { transfer: 1 }),
        Body::ChunkSeen(wire::ChunkSeen { transfer: 1, index: 0 }),
        Body::Settle(wire::Settle { origin: 2, seen: 2, last: true, items: vec![tombstone], ..Default::default() }),
        Body::Digest(wire::Digest { membership: Some(version_of_list(1)), clock: Some(clock), sum }),
    ]
}
