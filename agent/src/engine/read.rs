//! Reads, from this replica alone.

use std::cmp::Ordering;

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
        self.gather(limit, rows, |a, b| match order {
            Order::Forward => a.key.cmp(&b.key),
            Order::Back => b.key.cmp(&a.key),
        })
    }

    /// Lists the keys of a map that have a value, or a field that has one.
    pub(crate) fn names(&self, map: &MapName, range: Range<'_>) -> Result<Vec<Key>, WriteError> {
        let now = wall_millis();
        let Range { prefix, after, limit } = range;
        self.gather(limit, |shard| shard.names(map, prefix, after, limit, now), Key::cmp)
    }

    /// Lists the fields of a key that have a value.
    pub(crate) fn fields(&self, key: &Key, range: Range<'_>) -> Result<Vec<Listed>, WriteError> {
        let Range { prefix, after, limit } = range;
        self.shards[self.shard_of(key)].shard.lock().fields(key, prefix, after, limit, wall_millis())
    }

    /// Lists the keys and fields that this replica owns, in key order, after one of them.
    pub(crate) fn owned(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Listed>, WriteError> {
        let now = wall_millis();
        self.gather(limit, |shard| shard.owned(after, limit, now), |a, b| a.key.cmp(&b.key))
    }

    /// The first of what all shards have, one after the other.
    fn gather<T>(
        &self,
        limit: usize,
        rows: impl Fn(&Shard) -> Result<Vec<T>, WriteError>,
        order: impl Fn(&T, &T) -> Ordering,
    ) -> Result<Vec<T>, WriteError> {
        let mut first = Vec::new();
        for cell in &self.shards {
            let more = rows(&cell.shard.lock())?;
            keep_first(&mut first, more, limit, &order);
        }
        Ok(first)
    }
}

/// Adds more rows in order, and keeps as many as the page has: what is held does not grow with the shards.
fn keep_first<T>(rows: &mut Vec<T>, more: Vec<T>, limit: usize, order: impl Fn(&T, &T) -> Ordering) {
    rows.extend(more);
    // Both are sorted, which a stable sort takes for two runs.
    rows.sort_by(order);
    rows.truncate(limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_the_first_of_all_shards_and_never_holds_more_than_that() {
        let mut page = Vec::new();
        for shard in 0..100 {
            keep_first(&mut page, (0..10).map(|row| row * 100 + 99 - shard).collect(), 10, u32::cmp);
            assert!(page.len() <= 10 && page.is_sorted());
        }
        assert_eq!(page, (0..10).collect::<Vec<u32>>());
        assert!(page.capacity() <= 40, "{}", page.capacity());
    }
}
