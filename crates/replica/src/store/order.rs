//! Records in the order of their keys, in a few bytes a key.
//!
//! Leaves of up to 256 records hang in a tree by their first keys. A leaf has, for each record, its id and two bytes of
//! its key: those that follow what all keys of the leaf begin with. They nearly always tell where a key belongs without a
//! look at the keys themselves, each of which would be a wait for memory.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;
use std::ops::Bound;

use crate::Key;
use crate::key::KeyRef;
use crate::store::RecordId;

/// A leaf with more is split.
const MAX_LEN: usize = 256;

/// A leaf with fewer is joined with the one before it, if both fit.
const MIN_LEN: usize = 64;

/// A leaf has room for a multiple of this. It is what the allocator gives anyway: sizes between have the same cost.
const GROWTH: usize = 32;

/// The order. It asks for keys by the id of their record: of those that are in it, and of the one that is put in.
#[derive(Debug)]
pub(super) struct Order {
    /// By a key that is not above any in the leaf, and above all in the leaf before it; the first leaf, by none.
    leaves: BTreeMap<Option<Key>, Leaf>,
    len: usize,
}

#[derive(Debug, Default)]
struct Leaf {
    /// What the ordinals of all keys begin with.
    prefix: Box<[u8]>,
    /// What follows it.
    tags: Vec<u16>,
    ids: Vec<RecordId>,
}

// === impl Order ===

impl Order {
    pub(super) fn new() -> Self {
        Self { leaves: BTreeMap::from([(None, Leaf::default())]), len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Adds a record whose key is not there.
    pub(super) fn insert<'a>(&mut self, id: RecordId, key_of: &impl Fn(RecordId) -> KeyRef<'a>) {
        self.len += 1;
        let key = key_of(id);
        let lowest = self.leaves.last_key_value().and_then(|(low, _)| low.as_ref());
        let last = lowest.is_none_or(|low| low.borrow() <= key);
        let leaf = match last {
            true => self.leaves.last_entry().map(OccupiedEntry::into_mut),
            false => self.leaves.range_mut(..=Some(key.to_key())).next_back().map(|(_, leaf)| leaf),
        };
        let Some(leaf) = leaf else { return };
        let at = leaf.position(key, key_of).unwrap_or_else(|at| at);
        if leaf.ids.len() < MAX_LEN {
            leaf.insert(at, id, key_of);
        } else if last && at == MAX_LEN {
            // Who only ever appends gets full leaves.
            self.leaves.insert(Some(key.to_key()), Leaf::of(&[id], key_of));
        } else {
            let (left, right) = leaf.ids.split_at(MAX_LEN / 2);
            let (mut left, mut right) = (Leaf::of(left, key_of), Leaf::of(right, key_of));
            match at.checked_sub(MAX_LEN / 2 + 1) {
                Some(_) => right.insert(at - MAX_LEN / 2, id, key_of),
                None => left.insert(at, id, key_of),
            }
            let low = key_of(right.ids[0]).to_key();
            *leaf = left;
            self.leaves.insert(Some(low), right);
        }
    }

    /// Adds records in the order of their keys, none of which is there.
    pub(super) fn append<'a>(&mut self, ids: &[RecordId], key_of: &impl Fn(RecordId) -> KeyRef<'a>) {
        let last = self.leaves.last_key_value().and_then(|(_, leaf)| leaf.ids.last());
        let follow = ids.first().is_none_or(|first| last.is_none_or(|last| key_of(*last) < key_of(*first)));
        if !follow {
            ids.iter().for_each(|id| self.insert(*id, key_of));
            return;
        }
        self.len += ids.len();
        let mut rest = ids;
        if let Some(mut leaf) = self.leaves.last_entry() {
            let (fit, more) = ids.split_at(ids.len().min(MAX_LEN - leaf.get().ids.len()));
            leaf.insert(Leaf::of(&[leaf.get().ids.as_slice(), fit].concat(), key_of));
            rest = more;
        }
        for ids in rest.chunks(MAX_LEN) {
            self.leaves.insert(Some(key_of(ids[0]).to_key()), Leaf::of(ids, key_of));
        }
    }

    /// Removes the record of a key.
    pub(super) fn remove<'a>(&mut self, key: KeyRef<'_>, key_of: &impl Fn(RecordId) -> KeyRef<'a>) {
        let owned = Some(key.to_key());
        let mut leaves = self.leaves.range_mut(..=&owned).rev();
        let (Some((low, leaf)), before) = (leaves.next(), leaves.next()) else { return };
        let Ok(at) = leaf.position(key, key_of) else { return };
        leaf.remove(at);
        self.len -= 1;
        let Some((_, before)) = before.filter(|(_, before)| leaf.is_small_with(before)) else { return };
        if !leaf.ids.is_empty() {
            *before = Leaf::of(&[before.ids.as_slice(), &leaf.ids].concat(), key_of);
        }
        let low = low.clone();
        self.leaves.remove(&low);
    }

    /// The records from a key on.
    pub(super) fn from<'s, 'a, K: Fn(RecordId) -> KeyRef<'a>>(
        &'s self,
        start: Bound<&Key>,
        key_of: &K,
    ) -> impl Iterator<Item = RecordId> + use<'s, 'a, K> {
        let (key, after) = match start {
            Bound::Included(key) => (Some(key), false),
            Bound::Excluded(key) => (Some(key), true),
            Bound::Unbounded => (None, false),
        };
        let owned = key.cloned();
        let first = self.leaves.range(..=&owned).next_back();
        let skip = first.zip(key).map_or(0, |((_, leaf), key)| match leaf.position(key.borrow(), key_of) {
            Ok(at) => at + usize::from(after),
            Err(at) => at,
        });
        let low = first.and_then(|(low, _)| low.clone());
        self.leaves.range(low..).flat_map(|(_, leaf)| leaf.ids.iter().copied()).skip(skip)
    }

    /// The last record whose key is below one.
    pub(super) fn before<'a>(&self, end: &Key, key_of: &impl Fn(RecordId) -> KeyRef<'a>) -> Option<RecordId> {
        let owned = Some(end.clone());
        let mut leaves = self.leaves.range(..=&owned).rev().map(|(_, leaf)| leaf);
        let leaf = leaves.next()?;
        let at = leaf.position(end.borrow(), key_of).unwrap_or_else(|at| at);
        match at.checked_sub(1) {
            Some(at) => leaf.ids.get(at).copied(),
            None => leaves.find_map(|leaf| leaf.ids.last().copied()),
        }
    }
}

// === impl Leaf ===

impl Leaf {
    /// A leaf of some records, in order.
    fn of<'a>(ids: &[RecordId], key_of: &impl Fn(RecordId) -> KeyRef<'a>) -> Self {
        let mut leaf = Self::default();
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return leaf };
        let shared = key_of(*first).ordinal().zip(key_of(*last).ordinal()).take_while(|(a, b)| a == b);
        leaf.prefix = shared.map(|(byte, _)| byte).collect();
        leaf.ids = ids.to_vec();
        leaf.tags = leaf.tags_of(ids, key_of);
        leaf
    }

    /// Where a key is, or would be.
    fn position<'a>(&self, key: KeyRef<'_>, key_of: &impl Fn(RecordId) -> KeyRef<'a>) -> Result<usize, usize> {
        let mut rest = key.ordinal();
        for byte in &self.prefix {
            match rest.next().cmp(&Some(*byte)) {
                Ordering::Less => return Err(0),
                Ordering::Equal => {}
                Ordering::Greater => return Err(self.ids.len()),
            }
        }
        let tag = key.ordinal_at(self.prefix.len());
        let first = self.tags.partition_point(|other| *other < tag);
        let same = self.tags[first..].partition_point(|other| *other == tag);
        let found = self.ids[first..first + same].binary_search_by(|id| key_of(*id).cmp(&key));
        found.map(|at| first + at).map_err(|at| first + at)
    }

    fn insert<'a>(&mut self, at: usize, id: RecordId, key_of: &impl Fn(RecordId) -> KeyRef<'a>) {
        let shared = self.prefix.iter().copied().zip(key_of(id).ordinal()).take_while(|(a, b)| a == b).count();
        if shared < self.prefix.len() {
            self.prefix = self.prefix[..shared].into();
            self.tags = self.tags_of(&self.ids, key_of);
        }
        make_room(&mut self.ids);
        make_room(&mut self.tags);
        self.ids.insert(at, id);
        self.tags.insert(at, key_of(id).ordinal_at(shared));
    }

    fn remove(&mut self, at: usize) {
        self.ids.remove(at);
        self.tags.remove(at);
    }

    /// Whether it is better off as a part of the leaf before it.
    fn is_small_with(&self, before: &Self) -> bool {
        let (len, together) = (self.ids.len(), self.ids.len() + before.ids.len());
        len == 0 || (len < MIN_LEN && together <= MAX_LEN / 2)
    }

    fn tags_of<'a>(&self, ids: &[RecordId], key_of: &impl Fn(RecordId) -> KeyRef<'a>) -> Vec<u16> {
        ids.iter().map(|id| key_of(*id).ordinal_at(self.prefix.len())).collect()
    }
}

/// For one more.
fn make_room<T>(of: &mut Vec<T>) {
    if of.len() == of.capacity() {
        of.reserve_exact((of.len() + 1).next_multiple_of(GROWTH) - of.len());
    }
}
