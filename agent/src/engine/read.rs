//! Reads, from this replica alone.

use baton_replica::{Key, Listed, MapName, Read, WriteError};

use crate::engine::{Engine, wall_millis};

// === impl Engine ===

impl Engine {
    /// Reads one key.
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Read>, WriteError> {
        self.shards[self.shard_of(key)].shard.lock().get(key, wall_millis())
    }

    /// Lists a map's keys that start with a prefix, in key order, after a cursor; at most `limit`.
    pub(crate) fn list(
        &self,
        map: &MapName,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Listed>, WriteError> {
        let now = wall_millis();
        let mut rows = Vec::new();
        for cell in &self.shards {
            rows.extend(cell.shard.lock().list(map, prefix, after, limit, now)?);
        }
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        rows.truncate(limit);
        Ok(rows)
    }
}
