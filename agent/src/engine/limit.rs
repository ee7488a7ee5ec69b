//! What maps may hold: refused at write time, before anything is stored.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};

use baton_replica::{Key, MapLimits, MapName, Operation, Settings, Shard, Usage};
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

/// Where an operation is to be done.
pub(super) struct Place<'a> {
    pub(super) settings: &'a Settings,
    pub(super) usage: &'a UsageTable,
    pub(super) shard: &'a Shard,
    pub(super) now: u64,
}

/// What maps will hold when the first writes of a batch are made.
#[derive(Default)]
pub(super) struct Pending(Vec<(String, Usage)>);

/// The bounds of one map.
struct Bounds {
    bytes: u64,
    entries: u64,
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

    /// Checks an operation. `pending` is what a batch will have written before it.
    pub(super) fn check(
        &self,
        place: &Place<'_>,
        pending: Option<&mut Pending>,
        key: &Key,
        operation: &Operation,
    ) -> Result<(), LimitError> {
        let &Place { settings, usage, shard, now } = place;
        let size = match operation {
            Operation::Put { value, .. } | Operation::Init { value, .. } => {
                let (size, limit) = (value.body.len() as u64, self.value_bytes(settings, key));
                if size > limit {
                    return Err(LimitError::Value { size, limit });
                }
                value.size() as u64
            }
            Operation::Increment(_) => 0,
            _ => return Ok(()),
        };
        let replaced = shard.size(key, now).map(|bytes| bytes as u64);
        let name = key.name().len() + key.field().map_or(0, <[u8]>::len);
        let grows = Usage {
            entries: i64::from(replaced.is_none()),
            bytes: replaced.map_or(size + name as u64, |replaced| size.saturating_sub(replaced)) as i64,
        };
        if grows == Usage::default() {
            return Ok(());
        }
        let mut held = usage.of(key.map());
        if let Some(pending) = pending {
            held = pending.add(key.map(), held, grows);
        }
        let own = own_limits(settings, key.map());
        let bounds = Bounds {
            bytes: own.max_bytes.unwrap_or(self.max_bytes),
            entries: own.max_entries.unwrap_or(self.max_entries),
        };
        bounds.check(held, grows)
    }
}

// === impl Pending ===

impl Pending {
    /// Adds to what a map will hold, and says what that was before.
    fn add(&mut self, map: &str, held: Usage, grows: Usage) -> Usage {
        let at = self.0.iter().position(|(name, _)| name == map).unwrap_or_else(|| {
            self.0.push((map.to_owned(), held));
            self.0.len() - 1
        });
        let before = self.0[at].1;
        self.0[at].1 = Usage { entries: before.entries + grows.entries, bytes: before.bytes + grows.bytes };
        before
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

// === impl Bounds ===

impl Bounds {
    const fn check(&self, held: Usage, grows: Usage) -> Result<(), LimitError> {
        let (bytes, entries) = (clamp(held.bytes), clamp(held.entries));
        if grows.bytes > 0 && bytes + clamp(grows.bytes) > self.bytes {
            return Err(LimitError::Bytes { held: bytes, limit: self.bytes });
        }
        if grows.entries > 0 && entries >= self.entries {
            return Err(LimitError::Entries { held: entries, limit: self.entries });
        }
        Ok(())
    }
}

/// Two shards may report in another order than they changed, so a sum is below zero for a moment.
const fn clamp(number: i64) -> u64 {
    if number < 0 { 0 } else { number as u64 }
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
