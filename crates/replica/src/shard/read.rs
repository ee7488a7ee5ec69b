//! Local reads.

use std::borrow::Cow;

use crate::expiry::unexpired;
use crate::shard::{Shard, WriteError};
use crate::store::Found;
use crate::version::Plain;
use crate::{Dot, Entry, Hlc, Key, Owner, Tag, Value, Version};

/// What a read of one key returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The value that wins; the sum of a counter, in decimal.
    pub value: Value,
    /// The identity of the versions.
    pub tag: Tag,
    /// The counter's value, if anything was added.
    pub counter: Option<i64>,
    /// Who owns what the key stands for.
    pub owner: Option<Owner>,
    versions: Versions,
}

/// A key that will be looked at soon; see [`Shard::seek`].
#[derive(Clone, Copy, Debug)]
pub struct Sought(u64);

/// What was read, without a second copy of the value where it is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Versions {
    /// One plain version, with the value.
    Plain(Dot, Hlc),
    All(Vec<Version>),
}

// === impl Read ===

impl Read {
    /// The versions, the winner first; never empty.
    pub fn versions(&self) -> Vec<Version> {
        match &self.versions {
            Versions::Plain(dot, hlc) => vec![Version::put(*dot, *hlc, self.value.clone(), None)],
            Versions::All(versions) => versions.clone(),
        }
    }

    /// How many values were put that have not replaced each other.
    pub fn value_count(&self) -> usize {
        match &self.versions {
            Versions::Plain(..) => 1,
            Versions::All(versions) => versions.iter().filter(|version| !version.is_contribution()).count(),
        }
    }

    /// The client's bytes in all versions.
    pub fn size(&self) -> usize {
        match &self.versions {
            Versions::Plain(..) => self.value.size(),
            Versions::All(versions) => versions.iter().map(Version::size).sum(),
        }
    }

    /// When the value that wins expires, in Unix milliseconds.
    pub fn expires_at(&self) -> Option<u64> {
        match &self.versions {
            Versions::Plain(..) => None,
            Versions::All(versions) => versions.first().and_then(|winner| winner.expires_at),
        }
    }

    fn of_plain(version: &Plain<'_>) -> Self {
        let &Plain { dot, hlc, .. } = version;
        let versions = Versions::Plain(dot, hlc);
        Self { value: version.to_value(), tag: Tag::of_dot(dot), counter: None, owner: None, versions }
    }

    /// What is there of an entry at a time, if anything.
    pub(crate) fn of(entry: &Entry, now: u64) -> Option<Self> {
        Self::take(Cow::Borrowed(entry), now)
    }

    /// The same of an entry that may be taken apart.
    pub(crate) fn take(entry: Cow<'_, Entry>, now: u64) -> Option<Self> {
        let entry = unexpired(entry, now);
        let (value, tag) = (entry.value()?, entry.tag()?);
        let (counter, owner) = (entry.counter(), entry.owner().copied());
        let versions = match entry.versions() {
            [version] if version.is_plain() => Versions::Plain(version.dot, version.hlc),
            _ => Versions::All(entry.into_owned().versions),
        };
        Some(Self { value, tag, counter, owner, versions })
    }
}

// === impl Shard ===

impl Shard {
    /// Reads one key; `None` if it has no value. Fails as a write would while the state is on its way: an absent
    /// key would be a guess. `now` is the wall clock in Unix milliseconds.
    pub fn get(&self, key: &Key, now: u64) -> Result<Option<Read>, WriteError> {
        self.readable()?;
        Ok(match self.store.read(key) {
            Some(Found::Plain(version)) => Some(Read::of_plain(&version)),
            Some(Found::Entry(entry)) => Read::take(Cow::Owned(entry), now),
            None => None,
        })
    }

    /// A key will be read or written soon: asks for the memory that says where its entry is. Call it for some keys, then
    /// [`Self::expect`] with what it returned for each, then do what is to be done: their waits for memory go on at once,
    /// where they would follow each other.
    pub fn seek(&self, key: &Key) -> Sought {
        Sought(self.store.seek(key))
    }

    /// Asks for the memory of an entry that will be looked at soon.
    pub fn expect(&self, sought: Sought) {
        self.store.expect_sought(sought.0);
    }

    /// The client's bytes in all versions of a key; `None` if it has no value.
    pub fn size(&self, key: &Key, now: u64) -> Option<usize> {
        match self.store.read(key)? {
            Found::Plain(version) => Some(version.size()),
            Found::Entry(entry) => Read::take(Cow::Owned(entry), now).map(|read| read.size()),
        }
    }

    /// Every entry with its context, tombstones included, in key order.
    pub fn entries(&self) -> impl Iterator<Item = (Key, Entry)> + '_ {
        self.store.after(None).map(|(key, entry)| (key, entry.into_owned()))
    }

    /// Fails as a read would while the state is on its way.
    pub fn readable(&self) -> Result<(), WriteError> {
        if self.is_joining() || self.brings_back() { Err(WriteError::Joining) } else { Ok(()) }
    }
}
