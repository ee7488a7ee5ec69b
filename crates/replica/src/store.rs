//! The entries of one shard in key order, with the count of what each map takes.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::{Entry, Key, MapName, VersionVector};

/// What a map holds, or how that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Live keys.
    pub entries: i64,
    /// Bytes of live keys and their values.
    pub bytes: i64,
}

/// Entries by key. Key order serves reads, lists by prefix and full-state transfers alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    entries: BTreeMap<Key, Entry>,
    changed: BTreeMap<String, Usage>,
}

// === impl Store ===

impl Store {
    pub(crate) fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Changes one entry, made if need be, and keeps the counts.
    pub(crate) fn change<R>(&mut self, key: &Key, change: impl FnOnce(&mut Entry) -> R) -> R {
        let entry = self.entries.entry(key.clone()).or_default();
        let before = usage(key, entry);
        let result = change(entry);
        let after = usage(key, entry);
        if entry.is_void() {
            self.entries.remove(key);
        }
        if before != after {
            let changed = self.changed.entry(key.map().to_owned()).or_default();
            changed.entries += after.entries - before.entries;
            changed.bytes += after.bytes - before.bytes;
        }
        result
    }

    /// How each map's usage changed since this was last asked.
    pub(crate) fn take_usage_changes(&mut self) -> BTreeMap<String, Usage> {
        std::mem::take(&mut self.changed)
    }

    /// Entries after a key, tombstones included.
    pub(crate) fn after(&self, key: Option<&Key>) -> impl Iterator<Item = (&Key, &Entry)> {
        let start = key.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone()));
        self.entries.range((start, Bound::Unbounded))
    }

    /// The keys in `(after, through]`.
    pub(crate) fn keys_in(&self, after: Option<&Key>, through: Option<&Key>) -> Vec<Key> {
        let end = |key: &&Key| through.is_none_or(|through| *key <= through);
        self.after(after).map(|(key, _)| key).take_while(end).cloned().collect()
    }

    /// Live entries of a map whose keys start with a prefix, in key order, after a cursor.
    pub(crate) fn list<'a>(
        &'a self,
        map: &'a MapName,
        prefix: &'a [u8],
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = (&'a Key, &'a Entry)> {
        let start = Key::lower_bound(map, prefix, after);
        let inside = move |(key, _): &(&Key, &Entry)| key.map() == map.as_str() && key.name().starts_with(prefix);
        self.entries
            .range((start, Bound::Unbounded))
            .take_while(inside)
            .filter(|(_, entry)| !entry.versions().is_empty())
    }

    /// How many keys have a dot that a clock does not cover.
    pub(crate) fn uncovered(&self, clock: &VersionVector) -> u64 {
        self.entries.values().filter(|entry| entry.dots().any(|dot| !clock.covers(dot))).count() as u64
    }

    /// Keys remembered, tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

fn usage(key: &Key, entry: &Entry) -> Usage {
    if entry.versions().is_empty() {
        return Usage::default();
    }
    Usage { entries: 1, bytes: (key.name().len() + entry.size()) as i64 }
}
