//! The entries of one shard, and everything that follows from them: counts, sums and indexes that are kept with each
//! change instead of being looked for.

mod arena;
mod block;
mod bulk;
mod change;
mod codec;
mod deadline;
mod digest;
mod exception;
mod index;
mod name;
mod order;
mod ownership;
mod place;
mod record;
mod region;
mod slab;
mod usage;

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use crate::key::KeyRef;
use crate::{Dot, Entry, Key, MapName, ReplicaId, Version, VersionVector};

use change::Feed;
pub use change::{Change, State};
use deadline::Deadlines;
pub use digest::Sum;
use exception::Exceptions;
use order::Order;
use ownership::Owned;
pub(crate) use place::RecordId;
pub(crate) use record::Found;
use record::Records;
pub use usage::Usage;
use usage::UsageChanges;

/// How many records an iteration asks for before it looks at them: as many waits for memory go on at once, about.
const MAX_AHEAD: usize = 32;

/// What is kept of a version that another replaces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// Nothing: everybody has seen it, and the one that replaces it.
    Nothing,
    /// What the entry has superseded; and the log gets so many new slots.
    Superseded { slots: u32 },
}

/// Entries by key, and in key order, which serves lists by prefix and full-state transfers alike.
#[derive(Debug)]
pub(crate) struct Store {
    records: Records,
    order: Order,
    sum: Sum,
    exceptions: Exceptions,
    deadlines: Deadlines,
    owned: Owned,
    usage: UsageChanges,
    feed: Feed,
}

// === impl Store ===

impl Store {
    /// `seed` makes hashes differ from process to process.
    pub(crate) fn new(seed: ReplicaId) -> Self {
        Self {
            records: Records::new(seed),
            order: Order::new(),
            sum: Sum::default(),
            exceptions: Exceptions::default(),
            deadlines: Deadlines::default(),
            owned: Owned::default(),
            usage: UsageChanges::default(),
            feed: Feed::default(),
        }
    }

    #[cfg(test)]
    const fn memory(&self) -> usize {
        self.records.memory()
    }

    /// What records and their index take, without what is beside them: odd entries, and the order.
    pub(crate) const fn bytes(&self) -> u64 {
        self.records.bytes()
    }

    /// What living records take.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.records.live_bytes()
    }

    pub(crate) fn find(&self, key: &Key) -> Option<RecordId> {
        self.records.find(key.borrow())
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Cow<'_, Entry>> {
        Some(Cow::Owned(self.records.entry(self.find(key)?)))
    }

    /// The same for who only looks: nothing is copied of what is usual.
    pub(crate) fn read(&self, key: &Key) -> Option<Found<'_>> {
        self.records.read(key.borrow())
    }

    /// The entry of a record, if the record still exists.
    pub(crate) fn entry(&self, id: RecordId) -> Option<Cow<'_, Entry>> {
        self.records.contains(id).then(|| Cow::Owned(self.records.entry(id)))
    }

    pub(crate) fn key(&self, id: RecordId) -> Key {
        self.records.key(id).to_key()
    }

    /// The key of a record, if the record still exists.
    pub(crate) fn existing_key(&self, id: RecordId) -> Option<Key> {
        self.records.contains(id).then(|| self.key(id))
    }

    /// How many log slots name the record.
    pub(crate) fn slots(&self, id: RecordId) -> u32 {
        self.records.slots(id)
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
        let found = self.find(key);
        let before = found.map_or_else(Entry::default, |id| self.records.entry(id));
        let mut after = before.clone();
        let result = change(&mut after);
        let held = found.map_or(0, |id| self.slots(id)) + slots;
        let id = match found {
            None if held == 0 && after.is_void() => return (None, result),
            None => self.insert(key, &after),
            Some(id) => id,
        };
        if before != after {
            if found.is_some() {
                self.records.write(id, &after);
            }
            self.sum.replace(key, &before, &after);
            self.exceptions.replace(id, &before, &after, seen);
            self.deadlines.replace(id, &before, &after);
            self.owned.replace(id, &before, &after);
            self.usage.replace(key, &before, &after);
            self.feed.replace(key, &before, &after);
        }
        if slots > 0 {
            self.records.set_slots(id, held);
        }
        let keep = held > 0 || !after.is_void();
        if !keep {
            self.remove(id);
        }
        (keep.then_some(id), result)
    }

    /// Does what [`Self::change`] would do to put one version in the place of another, if nobody has to know more of it:
    /// the entry has one version, with a value and nothing else, and so has the new one. `covers` says what the new one
    /// has superseded, if that is the old one at least. Gives the version back if it is not so.
    pub(crate) fn replace(
        &mut self,
        key: &Key,
        keep: Keep,
        seen: impl Fn(Dot) -> bool,
        version: Version,
        covers: impl FnOnce(Dot) -> Option<VersionVector>,
    ) -> Result<RecordId, Version> {
        self.put_over(key, keep, seen, &version, covers).ok_or(version)
    }

    fn put_over(
        &mut self,
        key: &Key,
        keep: Keep,
        seen: impl Fn(Dot) -> bool,
        version: &Version,
        covers: impl FnOnce(Dot) -> Option<VersionVector>,
    ) -> Option<RecordId> {
        let new = version.plain().filter(codec::fits)?;
        if self.feed.is_watched() || self.has_exceptions() {
            return None;
        }
        let (position, old, mut context) = self.records.find_plain(key.borrow())?;
        let superseded = covers(old.dot).filter(|_| !context.covers(new.dot))?;
        if !superseded.dots().chain([new.dot]).all(seen) {
            return None;
        }
        let slots = match keep {
            Keep::Nothing => {
                context = VersionVector::new();
                0
            }
            Keep::Superseded { slots } => {
                context.join(&superseded);
                slots
            }
        };
        if !codec::fits_context(&context) {
            return None;
        }
        self.sum.replace_plain(key.as_bytes(), &old, &new);
        self.usage.add(key, Usage { entries: 0, bytes: new.size() as i64 - old.size() as i64 });
        Some(self.records.replace_plain(position, &new, &context, slots))
    }

    /// A log slot that named the record is gone. Says whether it was the last.
    pub(crate) fn release(&mut self, id: RecordId) -> bool {
        if !self.records.contains(id) {
            return false;
        }
        let slots = self.slots(id).saturating_sub(1);
        self.records.set_slots(id, slots);
        if slots == 0 && self.records.is_void(id) {
            self.remove(id);
        }
        slots == 0
    }

    /// Forgets what the entry superseded, and the entry if nothing else is in it.
    pub(crate) fn purge(&mut self, id: RecordId) {
        if !self.records.contains(id) {
            return;
        }
        self.records.clear_context(id);
        if self.records.is_void(id) && self.slots(id) == 0 {
            self.remove(id);
        }
    }

    /// Some keys will be looked at next, in this order.
    pub(crate) fn expect_keys<'a>(&self, keys: impl Iterator<Item = KeyRef<'a>>) {
        self.records.warm_keys(keys);
    }

    /// A key will be looked at soon: asks for the memory that says where it is. With what this returns, [`Self::expect_sought`]
    /// asks for the key's record, when that memory has come.
    pub(crate) fn seek(&self, key: &Key) -> u64 {
        let hash = self.records.hash(key.borrow());
        self.records.warm_index(hash);
        hash
    }

    pub(crate) fn expect_sought(&self, hash: u64) {
        self.records.warm_hashed(&[hash]);
    }

    /// Some records will be looked at next.
    pub(crate) fn expect(&self, ids: impl Iterator<Item = RecordId>) {
        self.records.warm(ids);
    }

    /// Whether a record has superseded anything; not if there is no such record.
    pub(crate) fn has_context(&self, id: RecordId) -> bool {
        self.records.contains(id) && self.records.has_context(id)
    }

    /// Some dot of a record's entry.
    pub(crate) fn find_dot(&self, id: RecordId, which: impl Fn(Dot) -> bool) -> Option<Dot> {
        let mut found = None;
        self.records.each_dot(id, |dot| {
            if found.is_none() && which(dot) {
                found = Some(dot);
            }
        });
        found
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

    /// Looks at all entries for dots that are not seen.
    pub(crate) fn find_exceptions(&mut self, seen: impl Fn(Dot) -> bool) {
        for id in self.records.ids() {
            self.records.each_dot(id, |dot| {
                if !seen(dot) {
                    self.exceptions.insert(id, dot);
                }
            });
        }
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

    /// The last change of a key and the one before it are one to whoever watches.
    pub(crate) fn fold_change(&mut self, key: &Key) {
        self.feed.fold(key);
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

    /// The same after a key and all of its fields.
    pub(crate) fn past(&self, key: Option<&Key>) -> impl Iterator<Item = (Key, Cow<'_, Entry>)> {
        self.from(key.map_or(Bound::Unbounded, |key| Bound::Included(key.past_fields())))
    }

    /// All entries in no order, beginning with some.
    pub(crate) fn beginning_with_some(&self, at: u64) -> impl Iterator<Item = (Key, Cow<'_, Entry>)> {
        let skip = (at % self.len().max(1) as u64) as usize;
        let ids = self.records.ids().skip(skip).chain(self.records.ids().take(skip));
        ids.map(|id| (self.key(id), Cow::Owned(self.records.entry(id))))
    }

    /// The keys in `(after, through]`.
    pub(crate) fn keys_in(&self, after: Option<&Key>, through: Option<&Key>) -> Vec<Key> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = self.order.from(start, &|id| self.records.key(id));
        ids.map(|id| self.key(id)).take_while(|key| through.is_none_or(|through| key <= through)).collect()
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

    /// The last key below one, of a tombstone perhaps.
    pub(crate) fn key_before(&self, end: &Key) -> Option<Key> {
        self.order.before(end, &|id| self.records.key(id)).map(|id| self.key(id))
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
        self.records.ids().filter(|id| self.find_dot(*id, |dot| !seen(dot)).is_some()).count() as u64
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.order.len() == 0
    }

    /// Keys remembered, tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    fn from(&self, start: Bound<Key>) -> impl Iterator<Item = (Key, Cow<'_, Entry>)> {
        let mut ids = self.order.from(start.as_ref(), &|id| self.records.key(id));
        let (mut next, mut ahead) = (VecDeque::new(), 1);
        std::iter::from_fn(move || {
            if next.is_empty() {
                next.extend(ids.by_ref().take(ahead));
                self.records.warm(next.iter().copied());
                ahead = MAX_AHEAD.min(2 * ahead);
            }
            let id = next.pop_front()?;
            Some((self.key(id), Cow::Owned(self.records.entry(id))))
        })
    }

    fn insert(&mut self, key: &Key, entry: &Entry) -> RecordId {
        let id = self.records.insert(key, entry);
        self.order.insert(id, &|id| self.records.key(id));
        id
    }

    fn remove(&mut self, id: RecordId) {
        self.order.remove(self.records.key(id), &|id| self.records.key(id));
        self.records.remove(id);
    }
}

#[cfg(test)]
mod tests;
