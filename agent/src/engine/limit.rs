//! What maps may hold: refused at write time, before anything is stored.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};

use baton_replica::{Key, MapLimits, MapName, Settings, Usage, Value};
use parking_lot::RwLock;

/// The greatest value there can be: a value travels in one frame of a peer link, and frames have a bound.
pub(crate) const MAX_VALUE_BYTES: u64 = 4 * 1024 * 1024;

/// Bounds of maps that have none of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DefaultLimits {
    /// One value, in bytes.
    pub(crate) max_value_bytes: u64,
    /// Keys and values of one map, in bytes.
    pub(crate) max_bytes: u64,
    /// Live keys of one map.
    pub(crate) max_entries: u64,
}

/// A write that would pass a bound; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitError {
    #[error("the value has {size} bytes, and this map takes at most {limit}")]
    Value { size: u64, limit: u64 },
    #[error("the map is full: it holds {held} of at most {limit} bytes")]
    Bytes { held: u64, limit: u64 },
    #[error("the map is full: it holds {held} of at most {limit} keys")]
    Entries { held: u64, limit: u64 },
}

/// What each map holds, over all shards.
#[derive(Default)]
pub(crate) struct UsageTable {
    maps: RwLock<HashMap<String, MapUsage>>,
}

#[derive(Default)]
struct MapUsage {
    bytes: AtomicI64,
    entries: AtomicI64,
}

// === impl DefaultLimits ===

impl DefaultLimits {
    /// The greatest value that a key's map takes: what the group says of the map, else the agent's own bound.
    pub(crate) fn value_bytes(&self, settings: &Settings, key: &Key) -> u64 {
        own_limits(settings, key.map()).max_value_bytes.unwrap_or(self.max_value_bytes).min(MAX_VALUE_BYTES)
    }

    /// Checks a write of a value. `replaced` is the size of what it replaces, if the key has a value.
    pub(crate) fn check(
        &self,
        settings: &Settings,
        usage: &UsageTable,
        key: &Key,
        value: &Value,
        replaced: Option<u64>,
    ) -> Result<(), LimitError> {
        let own = own_limits(settings, key.map());
        let size = value.body.len() as u64;
        let limit = self.value_bytes(settings, key);
        if size > limit {
            return Err(LimitError::Value { size, limit });
        }
        let size = value.size() as u64;
        let held = usage.of(key.map());
        let limit = own.max_bytes.unwrap_or(self.max_bytes);
        let grows = replaced.map_or(size + key.name().len() as u64, |replaced| size.saturating_sub(replaced));
        if grows > 0 && held.bytes.max(0) as u64 + grows > limit {
            return Err(LimitError::Bytes { held: held.bytes.max(0) as u64, limit });
        }
        let limit = own.max_entries.unwrap_or(self.max_entries);
        if replaced.is_none() && held.entries.max(0) as u64 >= limit {
            return Err(LimitError::Entries { held: held.entries.max(0) as u64, limit });
        }
        Ok(())
    }
}

// === impl UsageTable ===

impl UsageTable {
    /// What one map holds.
    pub(crate) fn of(&self, map: &str) -> Usage {
        let maps = self.maps.read();
        let Some(usage) = maps.get(map) else { return Usage::default() };
        Usage { bytes: usage.bytes.load(Ordering::Relaxed), entries: usage.entries.load(Ordering::Relaxed) }
    }

    /// What all maps hold together.
    pub(crate) fn total(&self) -> Usage {
        let maps = self.maps.read();
        maps.values().fold(Usage::default(), |sum, usage| Usage {
            bytes: sum.bytes + usage.bytes.load(Ordering::Relaxed),
            entries: sum.entries + usage.entries.load(Ordering::Relaxed),
        })
    }

    /// No shard holds anything.
    pub(crate) fn clear(&self) {
        self.maps.write().clear();
    }

    /// Adds what a shard reported. A map that holds nothing any more costs nothing.
    pub(crate) fn apply(&self, changes: BTreeMap<String, Usage>) {
        for (map, change) in changes {
            let known = self.maps.read().get(&map).map(|usage| usage.add(change));
            let empty = known.unwrap_or_else(|| self.maps.write().entry(map.clone()).or_default().add(change));
            if empty {
                self.forget(&map);
            }
        }
    }

    fn forget(&self, map: &str) {
        let mut maps = self.maps.write();
        // Another shard may have reported more meanwhile.
        if maps.get(map).is_some_and(MapUsage::is_empty) {
            maps.remove(map);
        }
    }
}

// === impl MapUsage ===

impl MapUsage {
    /// Says whether nothing is left.
    fn add(&self, change: Usage) -> bool {
        self.bytes.fetch_add(change.bytes, Ordering::Relaxed);
        self.entries.fetch_add(change.entries, Ordering::Relaxed);
        self.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) == 0 && self.entries.load(Ordering::Relaxed) == 0
    }
}

fn own_limits(settings: &Settings, map: &str) -> MapLimits {
    let named = settings.maps.iter().find(|(name, _): &&(MapName, MapLimits)| name.as_str() == map);
    named.map(|(_, limits)| *limits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_that_holds_nothing_any_more_costs_nothing() {
        let table = UsageTable::default();
        let change = |map: u32, entries: i64| {
            table.apply(BTreeMap::from([(format!("map-{map}"), Usage { entries, bytes: 100 * entries })]));
        };
        (0..100).for_each(|map| change(map, 2));
        assert_eq!((table.maps.read().len(), table.of("map-7").entries), (100, 2));
        (0..100).for_each(|map| change(map, -1));
        (1..100).for_each(|map| change(map, -1));
        assert_eq!((table.maps.read().len(), table.total()), (1, Usage { entries: 1, bytes: 100 }));
        change(7, 3);
        assert_eq!(table.of("map-7").entries, 3, "it comes back as a new one");
    }
}
