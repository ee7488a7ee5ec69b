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

/// What each map gets, and loses, by operations that are done together.
#[derive(Default)]
pub(super) struct Balance(Vec<Change>);

struct Change {
    map: String,
    grows: Usage,
    /// Below zero.
    frees: Usage,
}

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
        let grows = self.growth(place, key, operation)?;
        if grows == Usage::default() {
            return Ok(());
        }
        let held = pending.as_ref().and_then(|pending| pending.of(key.map()));
        let held = held.unwrap_or_else(|| place.usage.of(key.map()));
        self.bounds(place.settings, key.map()).check(held, grows)?;
        if let Some(pending) = pending {
            pending.set(key.map(), sum(held, grows));
        }
        Ok(())
    }

    /// Adds an operation to those that are to be done together.
    pub(super) fn weigh(
        &self,
        place: &Place<'_>,
        balance: &mut Balance,
        key: &Key,
        operation: &Operation,
    ) -> Result<(), LimitError> {
        let change = balance.of(key.map());
        if matches!(operation, Operation::Delete | Operation::Take) {
            if let Some(size) = place.shard.size(key, place.now) {
                let freed = Usage { entries: -1, bytes: -((size + name_bytes(key)) as i64) };
                change.frees = sum(change.frees, freed);
            }
            return Ok(());
        }
        change.grows = sum(change.grows, self.growth(place, key, operation)?);
        Ok(())
    }

    /// Checks operations that are to be done together. What some of them free, others may take.
    pub(super) fn check_all(
        &self,
        settings: &Settings,
        usage: &UsageTable,
        pending: &mut Pending,
        balance: &Balance,
    ) -> Result<(), LimitError> {
        let held = |map: &str, pending: &Pending| pending.of(map).unwrap_or_else(|| usage.of(map));
        for Change { map, grows, frees } in &balance.0 {
            self.bounds(settings, map).check(held(map, pending), sum(*grows, *frees))?;
        }
        for Change { map, grows, .. } in balance.0.iter().filter(|change| change.grows != Usage::default()) {
            let held = held(map, pending);
            pending.set(map, sum(held, *grows));
        }
        Ok(())
    }

    /// How much larger an operation makes its map.
    fn growth(&self, place: &Place<'_>, key: &Key, operation: &Operation) -> Result<Usage, LimitError> {
        let size = match operation {
            Operation::Put { value, .. } | Operation::Init { value, .. } => {
                let (size, limit) = (value.body.len() as u64, self.value_bytes(place.settings, key));
                if size > limit {
                    return Err(LimitError::Value { size, limit });
                }
                value.size()
            }
            Operation::Increment(_) => 0,
            _ => return Ok(Usage::default()),
        };
        let replaced = place.shard.size(key, place.now);
        let bytes = replaced.map_or(size + name_bytes(key), |replaced| size.saturating_sub(replaced));
        Ok(Usage { entries: i64::from(replaced.is_none()), bytes: bytes as i64 })
    }

    fn bounds(&self, settings: &Settings, map: &str) -> Bounds {
        let own = own_limits(settings, map);
        Bounds { bytes: own.max_bytes.unwrap_or(self.max_bytes), entries: own.max_entries.unwrap_or(self.max_entries) }
    }
}

// === impl Pending ===

impl Pending {
    fn of(&self, map: &str) -> Option<Usage> {
        self.0.iter().find(|(name, _)| name == map).map(|(_, usage)| *usage)
    }

    fn set(&mut self, map: &str, usage: Usage) {
        match self.0.iter_mut().find(|(name, _)| name == map) {
            Some((_, held)) => *held = usage,
            None => self.0.push((map.to_owned(), usage)),
        }
    }
}

// === impl Balance ===

impl Balance {
    fn of(&mut self, map: &str) -> &mut Change {
        let at = self.0.iter().position(|change| change.map == map).unwrap_or_else(|| {
            self.0.push(Change { map: map.to_owned(), grows: Usage::default(), frees: Usage::default() });
            self.0.len() - 1
        });
        &mut self.0[at]
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
        if grows.entries > 0 && entries + clamp(grows.entries) > self.entries {
            return Err(LimitError::Entries { held: entries, limit: self.entries });
        }
        Ok(())
    }
}

/// Two shards may report in another order than they changed, so a sum is below zero for a moment.
const fn clamp(number: i64) -> u64 {
    if number < 0 { 0 } else { number as u64 }
}

fn sum(one: Usage, other: Usage) -> Usage {
    Usage { bytes: one.bytes + other.bytes, entries: one.entries + other.entries }
}

/// What a key counts beside its value.
fn name_bytes(key: &Key) -> usize {
    key.name().len() + key.field().map_or(0, <[u8]>::len)
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
