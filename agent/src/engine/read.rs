//! Reads, from this replica alone.

use baton_replica::{Key, Listed, MapName, Read, Shard, WriteError};

use crate::engine::{Engine, wall_millis};

/// Which of a map's keys, or of a key's fields, a page has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range<'a> {
    /// What they start with.
    pub(crate) prefix: &'a [u8],
    /// The last one of the page before.
    pub(crate) after: Option<&'a [u8]>,
    /// At most so many.
    pub(crate) limit: usize,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// That of the keys' bytes.
    #[default]
    Forward,
    /// The opposite one.
    Back,
}

// === impl Engine ===

impl Engine {
    /// Reads one key.
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Read>, WriteError> {
        self.shards[self.shard_of(key)].shard.lock().get(key, wall_millis())
    }

    /// Lists the keys of a map that have a value.
    pub(crate) fn list(&self, map: &MapName, range: Range<'_>, order: Order) -> Result<Vec<Listed>, WriteError> {
        let now = wall_millis();
        let Range { prefix, after, limit } = range;
        let rows = |shard: &Shard| match order {
            Order::Forward => shard.list(map, prefix, after, limit, now),
            Order::Back => shard.list_back(map, prefix, after, limit, now),
        };
        let mut rows = self.gather(rows)?;
        rows.sort_unstable_by(|a, b| match order {
            Order::Forward => a.key.cmp(&b.key),
            Order::Back => b.key.cmp(&a.key),
        });
        rows.truncate(limit);
        Ok(rows)
    }

    /// Lists the keys of a map that have a value, or a field that has one.
    pub(crate) fn names(&self, map: &MapName, range: Range<'_>) -> Result<Vec<Key>, WriteError> {
        let now = wall_millis();
        let Range { prefix, after, limit } = range;
        let mut names = self.gather(|shard| shard.names(map, prefix, after, limit, now))?;
        names.sort_unstable();
        names.truncate(limit);
        Ok(names)
    }

    /// Lists the fields of a key that have a value.
    pub(crate) fn fields(&self, key: &Key, range: Range<'_>) -> Result<Vec<Listed>, WriteError> {
        let Range { prefix, after, limit } = range;
        self.shards[self.shard_of(key)].shard.lock().fields(key, prefix, after, limit, wall_millis())
    }

    /// Lists the keys and fields that this replica owns, in key order, after one of them.
    pub(crate) fn owned(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Listed>, WriteError> {
        let now = wall_millis();
        let mut rows = self.gather(|shard| shard.owned(after, limit, now))?;
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        rows.truncate(limit);
        Ok(rows)
    }

    /// What all shards have, one after the other.
    fn gather<T>(&self, rows: impl Fn(&Shard) -> Result<Vec<T>, WriteError>) -> Result<Vec<T>, WriteError> {
        let mut all = Vec::new();
        for cell in &self.shards {
            all.extend(rows(&cell.shard.lock())?);
        }
        Ok(all)
    }
}
