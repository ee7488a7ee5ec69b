//! The entries of one shard, and everything that follows from them: counts, sums and indexes that are kept with each
//! change instead of being looked for.

mod change;
mod deadline;
mod digest;
mod exception;
mod index;
mod order;
mod ownership;
mod region;
mod usage;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::key::KeyRef;
use crate::{Dot, Entry, Key, MapName, ReplicaId, VersionVector};

use change::Feed;
pub use change::{Change, State};
use deadline::Deadlines;
pub use digest::Sum;
use exception::Exceptions;
use index::Index;
use order::Order;
use ownership::Owned;
use region::Region;
pub use usage::Usage;
use usage::UsageChanges;

/// Names a record of one store; void once the record is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordId(u32);

/// Entries by key, and in key order, which serves lists by prefix and full-state transfers alike.
#[derive(Debug)]
pub(crate) struct Store {
    records: Records,
    region: Region,
    index: Index,
    order: Order,
    seed: u64,
    sum: Sum,
    exceptions: Exceptions,
    deadlines: Deadlines,
    owned: Owned,
    usage: UsageChanges,
    feed: Feed,
}

#[derive(Debug, Default)]
struct Records {
    records: Vec<Option<Record>>,
    free: Vec<RecordId>,
}

/// An entry, and how many log slots name it. It stays while one does, even when nothing is left in it.
#[derive(Debug)]
struct Record {
    key: Key,
    entry: Entry,
    slots: u32,
}

// === impl RecordId ===

impl RecordId {
    /// Not above any other.
    pub(crate) const FIRST: Self = Self(0);
}

// === impl Store ===

impl Store {
    /// `seed` makes hashes differ from process to process.
    pub(crate) fn new(seed: ReplicaId) -> Self {
        let mut region = Region::default();
        Self {
            records: Records::default(),
            index: Index::new(&mut region),
            region,
            order: Order::new(),
            seed: seed.bits(),
            sum: Sum::default(),
            exceptions: Exceptions::default(),
            deadlines: Deadlines::default(),
            owned: Owned::default(),
            usage: UsageChanges::default(),
            feed: Feed::default(),
        }
    }

    pub(crate) fn find(&self, key: &Key) -> Option<RecordId> {
        let hash = key.borrow().seeded_hash(self.seed);
        let meant = |id| self.records.key(RecordId(id)) == key.borrow();
        self.index.find(&self.region, hash, meant).map(RecordId)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Cow<'_, Entry>> {
        Some(Cow::Borrowed(&self.records.record(self.find(key)?).entry))
    }

    /// The entry of a record, if the record still exists.
    pub(crate) fn entry(&self, id: RecordId) -> Option<Cow<'_, Entry>> {
        Some(Cow::Borrowed(&self.records.get(id)?.entry))
    }

    pub(crate) fn key(&self, id: RecordId) -> Key {
        self.records.record(id).key.clone()
    }

    /// How many log slots name the record.
    pub(crate) fn slots(&self, id: RecordId) -> u32 {
        self.records.record(id).slots
    }

    /// Changes one entry, made if need be, for which the log gets so many new slots. `seen` says what will have been
    /// seen when the call that this is part of has ended.
    ///
    /// The id is `None` when nothing is left of the entry and no log slot names it.
    pub(crate) fn change<R>(
        &mut self,
        key: &Key,
        slots: u32,
        seen: impl Fn(Dot) -> bool,
        change: impl FnOnce(&mut Entry) -> R,
    ) -> (Option<RecordId>, R) {
        let id = self.find(key).unwrap_or_else(|| self.insert(key));
        let Some(record) = self.records.get_mut(id) else { unreachable!("the index names records only") };
        let before = record.entry.clone();
        let result = change(&mut record.entry);
        record.slots += slots;
        let after = &record.entry;
        if before != *after {
            self.sum.replace(key, &before, after);
            self.exceptions.replace(id, &before, after, seen);
            self.deadlines.replace(id, &before, after);
            self.owned.replace(id, &before, after);
            self.usage.replace(key, &before, after);
            self.feed.replace(key, &before, after);
        }
        let keep = record.slots > 0 || !record.entry.is_void();
        if !keep {
            self.remove(id);
        }
        (keep.then_some(id), result)
    }

    /// The log gets one more slot that names the record.
    pub(crate) fn hold(&mut self, id: RecordId) {
        if let Some(record) = self.records.get_mut(id) {
            record.slots += 1;
        }
    }

    /// A log slot that named the record is gone. Says whether it was the last.
    pub(crate) fn release(&mut self, id: RecordId) -> bool {
        let Some(record) = self.records.get_mut(id) else { return false };
        record.slots = record.slots.saturating_sub(1);
        let last = record.slots == 0;
        if last && record.entry.is_void() {
            self.remove(id);
        }
        last
    }

    /// Forgets what the entry superseded, and the entry if nothing else is in it.
    pub(crate) fn purge(&mut self, id: RecordId) {
        let Some(record) = self.records.get_mut(id) else { return };
        record.entry.context = VersionVector::new();
        if record.entry.is_void() && record.slots == 0 {
            self.remove(id);
        }
    }

    /// The clock has moved: what it covers is no exception any more.
    pub(crate) fn raise(&mut self, origin: ReplicaId, counter: u64) {
        self.exceptions.raise(origin, counter);
    }

    /// The dots of replicas that are not listed are no exceptions: they are retired.
    pub(crate) fn retire(&mut self, listed: impl Fn(ReplicaId) -> bool) {
        self.exceptions.retain(listed);
    }

    /// The records that hold dots of an origin above the clock, with those dots in order.
    pub(crate) fn exceptions(&self, origin: ReplicaId) -> impl Iterator<Item = (u64, RecordId)> + '_ {
        self.exceptions.of(origin)
    }

    /// Whether any entry holds a dot above the clock.
    pub(crate) fn has_exceptions(&self) -> bool {
        !self.exceptions.is_empty()
    }

    /// The sum over all live versions that do not expire.
    pub(crate) const fn sum(&self) -> Sum {
        self.sum
    }

    /// When the next version expires.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.deadlines.next()
    }

    /// Some record with a version whose time is over, other than those up to `after`.
    pub(crate) fn due(&self, now: u64, after: Option<(u64, RecordId)>) -> Option<(u64, RecordId)> {
        self.deadlines.due(now, after)
    }

    /// Everybody who owns anything.
    pub(crate) fn owners(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.owned.owners()
    }

    /// How many keys an owner has.
    pub(crate) fn owned_count(&self, owner: ReplicaId) -> usize {
        self.owned.count(owner)
    }

    /// The records of an owner, after one of them.
    pub(crate) fn owned(&self, owner: ReplicaId, after: Option<RecordId>) -> impl Iterator<Item = RecordId> + '_ {
        self.owned.of(owner, after)
    }

    /// How each map's usage changed since this was last asked.
    pub(crate) fn take_usage_changes(&mut self) -> BTreeMap<String, Usage> {
        self.usage.take()
    }

    /// Starts or stops noting what changes.
    pub(crate) fn watch(&mut self, watch: bool) {
        self.feed.watch(watch);
    }

    /// What changed since this was last asked.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        self.feed.take()
    }

    /// Entries after a key, tombstones included, in key order.
    pub(crate) fn after(&self, key: Option<&Key>) -> impl Iterator<Item = (Key, Cow<'_, Entry>)> {
        let start = key.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone()));
        self.from(start)
    }

    /// The keys in `(after, through]`.
    pub(crate) fn keys_in(&self, after: Option<&Key>, through: Option<&Key>) -> Vec<Key> {
        let end = |(key, _): &(Key, Cow<'_, Entry>)| through.is_none_or(|through| key <= through);
        self.after(after).take_while(end).map(|(key, _)| key).collect()
    }

    /// Entries of a map whose keys start with a prefix, their fields included, in key order, after all fields of a key.
    pub(crate) fn list<'a>(
        &'a self,
        map: &'a MapName,
        prefix: &'a [u8],
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = (Key, Cow<'a, Entry>)> {
        let inside =
            move |(key, _): &(Key, Cow<'_, Entry>)| key.map() == map.as_str() && key.name().starts_with(prefix);
        self.from(Key::lower_bound(map, prefix, after)).take_while(inside)
    }

    /// The fields of a key, after one of them.
    pub(crate) fn fields<'a>(
        &'a self,
        key: &'a Key,
        after: Option<&Key>,
    ) -> impl Iterator<Item = (Key, Cow<'a, Entry>)> {
        let inside = move |(field, _): &(Key, Cow<'_, Entry>)| field.map() == key.map() && field.name() == key.name();
        self.from(Bound::Excluded(after.unwrap_or(key).clone())).take_while(inside)
    }

    /// How many keys have a dot that is not seen.
    pub(crate) fn unseen(&self, seen: impl Fn(Dot) -> bool) -> u64 {
        self.after(None).filter(|(_, entry)| entry.dots().any(|dot| !seen(dot))).count() as u64
    }

    /// Keys remembered, tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    fn from(&self, start: Bound<Key>) -> impl Iterator<Item = (Key, Cow<'_, Entry>)> {
        let ids = self.order.from(start.as_ref(), &|id| self.records.key(id));
        ids.map(|id| self.records.record(id)).map(|record| (record.key.clone(), Cow::Borrowed(&record.entry)))
    }

    fn insert(&mut self, key: &Key) -> RecordId {
        let Self { records, region, index, order, seed, .. } = self;
        let id = records.insert(Record { key: key.clone(), entry: Entry::default(), slots: 0 });
        let key_of = |id| records.key(id);
        index.insert(region, key.borrow().seeded_hash(*seed), id.0, |_, id| key_of(RecordId(id)).seeded_hash(*seed));
        order.insert(id, &key_of);
        id
    }

    fn remove(&mut self, id: RecordId) {
        let Self { records, region, index, order, seed, .. } = self;
        let key = records.record(id).key.clone();
        index.remove(region, key.borrow().seeded_hash(*seed), id.0);
        order.remove(key.borrow(), &|id| records.key(id));
        records.remove(id);
    }
}

// === impl Records ===

impl Records {
    fn get(&self, id: RecordId) -> Option<&Record> {
        self.records.get(id.0 as usize)?.as_ref()
    }

    fn get_mut(&mut self, id: RecordId) -> Option<&mut Record> {
        self.records.get_mut(id.0 as usize)?.as_mut()
    }

    fn record(&self, id: RecordId) -> &Record {
        let Some(record) = self.get(id) else { unreachable!("a void record was named") };
        record
    }

    fn key(&self, id: RecordId) -> KeyRef<'_> {
        self.record(id).key.borrow()
    }

    fn insert(&mut self, record: Record) -> RecordId {
        let id = self.free.pop().unwrap_or(RecordId(self.records.len() as u32));
        match self.records.get_mut(id.0 as usize) {
            Some(place) => *place = Some(record),
            None => self.records.push(Some(record)),
        }
        id
    }

    fn remove(&mut self, id: RecordId) {
        if self.records.get_mut(id.0 as usize).and_then(Option::take).is_some() {
            self.free.push(id);
        }
    }
}

#[cfg(test)]
mod tests;
