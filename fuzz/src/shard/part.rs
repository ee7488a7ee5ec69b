//! What messages are made of: ids, counters, clocks and entries.

use arbitrary::Arbitrary;
use baton_replica::{ChunkItem, Dot, Entry, Hlc, Owner, RangeItem, ReplicaId, Value, Version, VersionVector};
use bytes::Bytes;

use crate::replica::{ME, Replica, id, key, peer};

/// Whose writes: mostly this replica, a peer or one that the list does not name.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Origin {
    Peer(u8),
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
    versions: Vec<Live>,
    context: Option<Clock>,
}

/// A version.
#[derive(Arbitrary, Debug)]
struct Live {
    /// The write of the item's last slot if there is none.
    dot: Option<(Origin, Number)>,
    hlc: u64,
    odd: Option<Odd>,
}

/// What most versions have nothing of.
#[derive(Arbitrary, Debug)]
enum Odd {
    Short { expires_at: u64 },
    Counter { base: bool, added: i64 },
    Issued { writer: Origin },
    Owned { by: Option<Origin>, token: u64, change: (Origin, Number), since: Option<(Origin, Number)>, confirmed: bool },
}

/// The ids as a list has them: mostly in order.
pub(super) fn ids(ids: &[Origin]) -> Vec<ReplicaId> {
    let mut ids: Vec<ReplicaId> = ids.iter().map(|origin| origin.id()).collect();
    if ids.len() < 4 {
        ids.sort_unstable();
    }
    ids
}

/// The items in the order of their keys, as a chunk has them.
pub(super) fn ordered(replica: &Replica, items: &[Item]) -> Vec<ChunkItem> {
    let dot = Number::Seen(16).dot(replica, Origin::Near(1));
    let item = |item: &Item| ChunkItem { key: key(item.key), entry: item.entry(replica, dot) };
    let mut items: Vec<ChunkItem> = items.iter().map(item).collect();
    items.sort_by(|a, b| a.key.cmp(&b.key));
    items.dedup_by(|a, b| a.key == b.key);
    items
}

/// The items with their slots, from a counter on, and where they end.
pub(super) fn dealt(
    replica: &Replica,
    origin: Origin,
    from: u64,
    slots: &Slots,
    items: &[Item],
) -> (Vec<RangeItem>, u64) {
    let mut next = from;
    let mut deal = |count: u64| {
        let first = next;
        next = next.saturating_add(count);
        (first..next).map(|slot| slot + 1).collect()
    };
    let mut item = |(at, item): (usize, &Item)| {
        let slots: Vec<u64> = match slots {
            Slots::Run(count) if at == 0 => deal(u64::from(*count)),
            Slots::Dealt | Slots::Run(_) => deal(1),
            Slots::Same(slots) => slots.iter().map(|slot| slot.resolve(replica, origin)).collect(),
        };
        let dot = Dot { replica: origin.id(), counter: slots.last().copied().unwrap_or_default().max(1) };
        RangeItem { key: key(item.key), slots, entry: item.entry(replica, dot) }
    };
    let items = items.iter().enumerate().map(&mut item).collect();
    (items, next)
}

// === impl Origin ===

impl Origin {
    pub(super) fn id(self) -> ReplicaId {
        match self {
            Self::Peer(number) => peer(number),
            Self::Near(number) => id(ME + u64::from(number % 6)),
            Self::Any(bits) => id(bits.max(1)),
        }
    }
}

// === impl Number ===

impl Number {
    pub(super) fn resolve(self, replica: &Replica, origin: Origin) -> u64 {
        match self {
            Self::Seen(step) => {
                let seen = replica.shard().clock().get(origin.id());
                seen.saturating_add_signed(i64::from(step / 16))
            }
            Self::Small(number) => u64::from(number),
            Self::Greatest(below) => u64::MAX - u64::from(below / 16),
        }
    }

    /// As a dot: there is none with the counter 0.
    fn dot(self, replica: &Replica, origin: Origin) -> Dot {
        Dot { replica: origin.id(), counter: self.resolve(replica, origin).max(1) }
    }
}

// === impl Clock ===

impl Clock {
    pub(super) fn resolve(&self, replica: &Replica) -> VersionVector {
        match self {
            Self::Seen => replica.shard().clock().clone(),
            Self::Pairs(pairs) => {
                pairs.iter().map(|(origin, number)| (origin.id(), number.resolve(replica, *origin))).collect()
            }
            Self::Wide { first, replicas, counter } => {
                (1..=u64::from(replicas % 2048)).map(|step| (id(u64::from(*first) + step), *counter)).collect()
            }
        }
    }
}

// === impl Item ===

impl Item {
    /// The entry; `usual` is the dot of versions that do not say another.
    fn entry(&self, replica: &Replica, usual: Dot) -> Entry {
        let versions = self.versions.iter().map(|version| version.resolve(replica, usual)).collect();
        let context = self.context.as_ref().map(|clock| clock.resolve(replica));
        Entry::new(versions, context.unwrap_or_default())
    }
}

// === impl Live ===

impl Live {
    fn resolve(&self, replica: &Replica, usual: Dot) -> Version {
        let dot = self.dot.map_or(usual, |(origin, counter)| counter.dot(replica, origin));
        let plain = theirs(dot, Hlc::from_bits(self.hlc));
        match &self.odd {
            None => plain,
            Some(Odd::Short { expires_at }) => Version { expires_at: Some(*expires_at), ..plain },
            Some(Odd::Counter { base, added }) => {
                let number = Value { content_type: Box::default(), body: Bytes::from_static(b"7") };
                Version { value: base.then_some(number), added: *added, ..plain }
            }
            Some(Odd::Issued { writer }) => Version { writer: writer.id(), ..plain },
            Some(Odd::Owned { by, token, change: (origin, counter), since, confirmed }) => {
                let dot = counter.dot(replica, *origin);
                let since = since.as_ref().map_or(dot, |(origin, counter)| counter.dot(replica, *origin));
                let owner = Owner { replica: by.map(Origin::id), token: *token, since, dot, confirmed: *confirmed };
                Version { owner: Some(Box::new(owner)), ..plain }
            }
        }
    }
}

/// What a peer has put.
pub(super) fn theirs(dot: Dot, hlc: Hlc) -> Version {
    let value = Value { content_type: "text/plain".into(), body: Bytes::from_static(b"theirs") };
    Version { dot, hlc, writer: dot.replica, value: Some(value), added: 0, owner: None, expires_at: None }
}
