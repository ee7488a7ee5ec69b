//! How much each map takes.

use std::collections::BTreeMap;

use crate::{Entry, Key};

/// What a map holds, or how that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Live keys and fields.
    pub entries: i64,
    /// Bytes of live keys, fields and their values.
    pub bytes: i64,
}

/// Changes since they were last asked for.
#[derive(Debug, Default)]
pub(super) struct UsageChanges(BTreeMap<String, Usage>);

// === impl UsageChanges ===

impl UsageChanges {
    pub(super) fn replace(&mut self, key: &Key, before: &Entry, after: &Entry) {
        let (before, after) = (usage(key, before), usage(key, after));
        self.add(key, Usage { entries: after.entries - before.entries, bytes: after.bytes - before.bytes });
    }

    pub(super) fn add(&mut self, key: &Key, change: Usage) {
        self.add_to(key.map(), change);
    }

    pub(super) fn add_to(&mut self, map: &str, change: Usage) {
        if change == Usage::default() {
            return;
        }
        if !self.0.contains_key(map) {
            self.0.insert(map.to_owned(), Usage::default());
        }
        if let Some(changed) = self.0.get_mut(map) {
            changed.entries += change.entries;
            changed.bytes += change.bytes;
        }
    }

    pub(super) fn take(&mut self) -> BTreeMap<String, Usage> {
        std::mem::take(&mut self.0)
    }
}

fn usage(key: &Key, entry: &Entry) -> Usage {
    if entry.versions().is_empty() {
        return Usage::default();
    }
    let name = key.name().len() + key.field().map_or(0, <[u8]>::len);
    Usage { entries: 1, bytes: (name + entry.size()) as i64 }
}
