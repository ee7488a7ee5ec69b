//! Local reads.

use std::borrow::Cow;

use crate::shard::{Shard, WriteError};
use crate::{Entry, Key, Owner, Tag, Value, Version};

/// What a read of one key returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The value that wins; the sum of a counter, in decimal.
    pub value: Value,
    /// The versions, the winner first; never empty.
    pub versions: Vec<Version>,
    /// Their identity.
    pub tag: Tag,
    /// The counter's value, if anything was added.
    pub counter: Option<i64>,
    /// Who owns what the key stands for.
    pub owner: Option<Owner>,
}

// === impl Read ===

impl Read {
    /// What is there of an entry at a time, if anything.
    pub(crate) fn of(entry: &Entry, now: u64) -> Option<Self> {
        Self::take(Cow::Borrowed(entry), now)
    }

    /// The same of an entry that may be taken apart.
    pub(crate) fn take(entry: Cow<'_, Entry>, now: u64) -> Option<Self> {
        let entry = unexpired(entry, now);
        let (value, tag) = (entry.value()?, entry.tag()?);
        let (counter, owner) = (entry.counter(), entry.owner().copied());
        Some(Self { value, versions: entry.into_owned().versions, tag, counter, owner })
    }
}

// === impl Shard ===

impl Shard {
    /// Reads one key; `None` if it has no value. Fails as a write would while the state is on its way: an absent
    /// key would be a guess. `now` is the wall clock in Unix milliseconds.
    pub fn get(&self, key: &Key, now: u64) -> Result<Option<Read>, WriteError> {
        self.readable()?;
        Ok(self.store.get(key).and_then(|entry| Read::take(entry, now)))
    }

    /// Every entry with its context, tombstones included, in key order.
    pub fn entries(&self) -> impl Iterator<Item = (Key, Entry)> + '_ {
        self.store.after(None).map(|(key, entry)| (key, entry.into_owned()))
    }

    pub(super) fn readable(&self) -> Result<(), WriteError> {
        if self.is_joining() { Err(WriteError::Joining) } else { Ok(()) }
    }
}

/// The entry as everybody must see it from its versions' deadlines on, whether or not they were dropped already.
fn unexpired(entry: Cow<'_, Entry>, now: u64) -> Cow<'_, Entry> {
    if entry.versions().iter().all(|version| !version.has_expired(now)) {
        return entry;
    }
    let live = entry.versions().iter().filter(|version| !version.has_expired(now));
    Cow::Owned(Entry::new(live.cloned().collect(), entry.context().clone()))
}
