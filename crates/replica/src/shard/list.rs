//! Lists, page by page: each page is what is there when it is read, and writes go on between two.

use std::borrow::Cow;

use crate::shard::write::MAX_BATCH;
use crate::shard::{Shard, WriteError};
use crate::{Condition, Dot, Entry, Key, MapName, Operation, Read, Request};

/// Fields of one key that are looked at one after the other, rather than to look for the key that follows them.
const MAX_STEPS: usize = 32;

/// One row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: Key,
    /// What a read of it returns.
    pub read: Read,
}

/// A key that was deleted with its fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// How many values there were, of the key and its fields.
    pub deleted: usize,
    /// The last write; the others were made before it.
    pub last: Option<Dot>,
    /// There are more fields than one batch deletes.
    pub more: bool,
}

// === impl Shard ===

impl Shard {
    /// Lists a map's keys that start with a prefix, in key order, after a cursor; at most `limit`. Fields are not listed.
    pub fn list(
        &self,
        map: &MapName,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
        now: u64,
    ) -> Result<Vec<Listed>, WriteError> {
        self.readable()?;
        let mut found = Vec::new();
        let mut after = after.map(<[u8]>::to_vec);
        // The fields of a key are stepped over, however many there are.
        loop {
            let mut rows = self.store.list(map, prefix, after.as_deref());
            let fields = rows.find_map(|row| {
                let has_fields = row.0.field().is_some();
                let stop = (has_fields || found.len() == limit).then(|| row.0.name().to_vec());
                found.extend(stop.is_none().then(|| listed(row, now)).flatten());
                stop
            });
            drop(rows);
            match fields {
                Some(name) if found.len() < limit => after = Some(name),
                _ => return Ok(found),
            }
        }
    }

    /// The same from the other end: in the opposite order, before a cursor.
    pub fn list_back(
        &self,
        map: &MapName,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
        now: u64,
    ) -> Result<Vec<Listed>, WriteError> {
        self.readable()?;
        let mut found = Vec::new();
        let mut end = Key::upper_bound(map, prefix, before);
        let inside = |key: &Key| key.map() == map.as_str() && key.name().starts_with(prefix);
        while found.len() < limit {
            let Some(key) = self.store.key_before(&end).filter(inside) else { break };
            // Fields are met before the key that they belong to, and stepped over.
            end = key.without_field();
            found.extend(self.store.get(&end).and_then(|entry| listed((end.clone(), entry), now)));
        }
        Ok(found)
    }

    /// Lists the names of a map's keys that have a value, or a field that has one: like [`Self::list`], with the keys
    /// that exist by their fields only.
    pub fn names(
        &self,
        map: &MapName,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
        now: u64,
    ) -> Result<Vec<Key>, WriteError> {
        self.readable()?;
        let mut found: Vec<Key> = Vec::new();
        let mut after = after.map(<[u8]>::to_vec);
        while found.len() < limit {
            let alive = self.store.list(map, prefix, after.as_deref()).find(|(_, entry)| is_alive(entry, now));
            let Some((key, _)) = alive else { break };
            after = Some(key.name().to_vec());
            found.push(key.without_field());
        }
        Ok(found)
    }

    /// Lists the keys of all maps, without their fields, that have a value, or a field that has one; after one of them, in
    /// key order.
    pub fn all_names(&self, after: Option<&Key>, limit: usize, now: u64) -> Result<Vec<Key>, WriteError> {
        self.readable()?;
        let mut found: Vec<Key> = Vec::new();
        let mut after = after.cloned();
        while found.len() < limit {
            let mut fields = 0;
            let mut rows = self.store.past(after.as_ref());
            let stop = rows.find_map(|(key, entry)| {
                let is_last = found.last().is_some_and(|last| last.is_of_same_name(&key));
                if !is_last && is_alive(&entry, now) {
                    found.push(key.without_field());
                }
                fields = if is_last { fields + 1 } else { 0 };
                (found.len() == limit || fields > MAX_STEPS).then_some(key)
            });
            drop(rows);
            match stop {
                Some(stop) => after = Some(stop),
                None => return Ok(found),
            }
        }
        Ok(found)
    }

    /// Some key that is wanted, without its field: by a number that is chosen at random, about any of those that have a
    /// value or a field that has one.
    pub fn some_name(&self, at: u64, wanted: impl Fn(&Key) -> bool, now: u64) -> Result<Option<Key>, WriteError> {
        self.readable()?;
        let alive = |(key, entry): (Key, Cow<'_, Entry>)| {
            let name = is_alive(&entry, now).then(|| key.without_field());
            name.filter(&wanted)
        };
        Ok(self.store.beginning_with_some(at).find_map(alive))
    }

    /// Lists the fields of a key that start with a prefix, in order, after one of them; at most `limit`.
    pub fn fields(
        &self,
        key: &Key,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
        now: u64,
    ) -> Result<Vec<Listed>, WriteError> {
        self.readable()?;
        let Ok(first) = key.with_field(prefix) else { return Ok(Vec::new()) };
        let cursor =
            after.filter(|after| *after >= prefix).map_or_else(|| Ok(first.clone()), |after| key.with_field(after));
        let Ok(cursor) = cursor else { return Ok(Vec::new()) };
        let at_first = self.store.get(&first).filter(|_| after.is_none_or(|after| after < prefix));
        let rest = self.store.fields(key, Some(&cursor));
        let inside = |(field, _): &(Key, _)| field.field().is_some_and(|field| field.starts_with(prefix));
        let rows = at_first.map(|entry| (first, entry)).into_iter().chain(rest.take_while(inside));
        Ok(rows.filter_map(|row| listed(row, now)).take(limit).collect())
    }

    /// Deletes a key with its fields, in one batch as far as they fit into one; call again while there is more. The
    /// condition is that of the key itself.
    pub fn delete_with_fields(&mut self, key: &Key, condition: &Condition, now: u64) -> Result<Cleared, WriteError> {
        let alive = self.store.fields(key, None).filter(|(_, entry)| is_alive(entry, now)).map(|(field, _)| field);
        let mut fields: Vec<Key> = alive.take(MAX_BATCH).collect();
        let more = fields.len() == MAX_BATCH;
        fields.truncate(MAX_BATCH - 1);
        let request = |key| Request { key, condition: Condition::Always, operation: Operation::Delete };
        let itself = Request { condition: condition.clone(), ..request(key.clone()) };
        let requests = [itself].into_iter().chain(fields.into_iter().map(request)).collect();
        let done = self.write(requests, now).map_err(|rejected| rejected.error)?;
        let dots = done.iter().filter_map(|done| done.dot);
        Ok(Cleared { deleted: dots.clone().count(), last: dots.last(), more })
    }
}

fn listed((key, entry): (Key, Cow<'_, Entry>), now: u64) -> Option<Listed> {
    Some(Listed { key, read: Read::take(entry, now)? })
}

fn is_alive(entry: &Entry, now: u64) -> bool {
    entry.versions().iter().any(|version| !version.has_expired(now))
}
