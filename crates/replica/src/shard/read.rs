//! Local reads.

use crate::shard::{Shard, WriteError};
use crate::{Entry, Key, MapName, Tag, Version};

/// What a read of one key returns.
#[derive(Clone, Debug)]
pub struct Read {
    /// The versions, the winner first; never empty.
    pub versions: Vec<Version>,
    /// Their identity.
    pub tag: Tag,
}

/// One row of a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The key.
    pub key: Key,
    /// What a read of it returns.
    pub read: Read,
}

// === impl Shard ===

impl Shard {
    /// Reads one key; `None` if it has no value. Fails as a write would while the state is on its way: an absent
    /// key would be a guess.
    pub fn get(&self, key: &Key) -> Result<Option<Read>, WriteError> {
        self.readable()?;
        Ok(self.store.get(key).and_then(read))
    }

    /// Lists a map's keys that start with a prefix, in key order, after a cursor; at most `limit`.
    pub fn list(
        &self,
        map: &MapName,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Listed>, WriteError> {
        self.readable()?;
        let rows = self.store.list(map, prefix, after).take(limit);
        Ok(rows.filter_map(|(key, entry)| Some(Listed { key: key.clone(), read: read(entry)? })).collect())
    }

    /// Every entry with its context, tombstones included, in key order.
    pub fn entries(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.store.after(None)
    }

    fn readable(&self) -> Result<(), WriteError> {
        if self.is_joining() { Err(WriteError::Joining) } else { Ok(()) }
    }
}

fn read(entry: &Entry) -> Option<Read> {
    Some(Read { versions: entry.versions().to_vec(), tag: entry.tag()? })
}
