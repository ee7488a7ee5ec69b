//! Many entries at once, in key order: what a full-state transfer takes out of one store and puts into another.

use std::collections::VecDeque;
use std::ops::Bound;

use crate::packed::UnpackedItem;
use crate::store::{MAX_AHEAD, Store, Sum, Usage, codec};
use crate::{Dot, Key, Packed, Packer};

/// The room that a packer gets beyond what it is asked for: most entries, one of which passes the limit, fit into it.
const SLACK_BYTES: usize = 2 * 1024;

/// A sender's word for how many keys there are counts up to so many times those that have come.
const MAX_HINTED: usize = 16;

// === impl Store ===

impl Store {
    /// Packs the entries after a key, tombstones included, in key order, until there are so many bytes. Says the last
    /// key, if more follow.
    pub(crate) fn pack(&self, after: Option<&Key>, bytes: usize) -> (Packed, Option<Key>) {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut ids = self.order.from(start, &|id| self.records.key(id));
        let mut packer = Packer::with_room(bytes.saturating_add(SLACK_BYTES));
        let (mut next, mut last) = (Vec::with_capacity(MAX_AHEAD), None);
        loop {
            next.clear();
            next.extend(ids.by_ref().take(MAX_AHEAD));
            if next.is_empty() {
                return (packer.finish(), None);
            }
            self.records.warm(next.iter().copied());
            for id in &next {
                if packer.is_full(bytes) {
                    return (packer.finish(), last.map(|id| self.key(id)));
                }
                self.records.pack(*id, &mut packer);
                last = Some(*id);
            }
        }
    }

    /// So many keys will be there in all, it is said; so many are there next.
    pub(crate) fn expect_in_all(&mut self, keys: u32, next: usize) {
        let bound = MAX_HINTED * (self.len() + next);
        self.records.reserve(usize::try_from(keys).unwrap_or(bound).min(bound));
    }

    /// Adds entries of one plain version each, of keys that are not there, in key order. Says how many: it ends with one
    /// that is something else, or too large, and adds none if somebody has to know what changes.
    pub(crate) fn add_plain<'a>(
        &mut self,
        items: impl Iterator<Item = UnpackedItem<'a>>,
        seen: impl Fn(Dot) -> bool,
    ) -> usize {
        if self.feed.is_watched() {
            return 0;
        }
        // No more than will be added: whoever calls again for what is left would have all of it hashed each time.
        let mut items = items.map_while(|item| Some((item, item.plain().filter(codec::fits)?))).fuse();
        let mut ids = Vec::new();
        let mut added = (String::new(), Usage::default());
        let mut ahead = VecDeque::with_capacity(MAX_AHEAD);
        loop {
            if ahead.is_empty() {
                ahead.extend(items.by_ref().take(MAX_AHEAD).map(|(item, version)| {
                    let hash = self.records.hash(item.key);
                    self.records.warm_index(hash);
                    (item, version, hash)
                }));
            }
            let Some((item, version, hash)) = ahead.pop_front() else { break };
            let Some(id) = self.records.insert_plain(item.key, hash, &version) else { break };
            ids.push(id);
            self.sum += Sum::of_plain(item.key_bytes, &version);
            if !seen(version.dot) {
                self.exceptions.insert(id, version.dot);
            }
            if added.0.as_bytes() != item.key.map() {
                self.usage.add_to(&added.0, added.1);
                added = (String::from_utf8_lossy(item.key.map()).into_owned(), Usage::default());
            }
            let name = item.key.name().len() + item.key.field().map_or(0, <[u8]>::len);
            added.1.entries += 1;
            added.1.bytes += (name + version.size()) as i64;
        }
        self.usage.add_to(&added.0, added.1);
        self.order.append(&ids, &|id| self.records.key(id));
        ids.len()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Entry, Hlc, MapName, ReplicaId, Value, Version, VersionVector};

    /// Most of what is given up at is looked at once, whatever is between.
    #[test]
    fn what_does_not_fit_a_block_does_not_have_the_rest_looked_at_again() {
        let replica = ReplicaId::new(3).expect("not zero");
        let map = MapName::parse("m").expect("valid");
        let mut packer = Packer::default();
        for number in 0..600_u32 {
            let dot = Dot { replica, counter: u64::from(number + 1) };
            let len = if number % 40 == 0 || number > 400 { 1_100 } else { 10 };
            let value = Value { content_type: "".into(), body: Bytes::from(vec![1; len]) };
            let version = Version::put(dot, Hlc::from_bits(1), value, None);
            let key = Key::new(&map, &number.to_be_bytes()).expect("valid");
            packer.add(&key, &[], &Entry::new(vec![version], VersionVector::new()));
        }
        let packed = packer.finish();
        let unpacked = packed.unpack().expect("sound");
        let items: Vec<UnpackedItem<'_>> = unpacked.items().collect();
        let mut store = Store::new(replica);
        let (mut rest, mut looked) = (items.as_slice(), 0);
        while let Some((_, more)) = rest.split_first() {
            let added = store.add_plain(rest.iter().copied().inspect(|_| looked += 1), |_| true);
            rest = if added == 0 { more } else { &rest[added..] };
        }
        assert_eq!(store.len(), items.iter().filter(|item| item.plain().is_some_and(|it| codec::fits(&it))).count());
        assert!(looked <= 2 * items.len(), "{looked} looks at {} items", items.len());
    }
}
