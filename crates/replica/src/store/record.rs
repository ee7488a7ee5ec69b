//! Records: where each key and its entry are.
//!
//! What is too large for a block, or has too many parts, is an odd entry: it stays as it is, and the block has its number.

use std::collections::BTreeMap;
use std::hint::black_box;

use crate::key::KeyRef;
use crate::store::MAX_AHEAD;
use crate::store::arena::{Arena, Position};
use crate::store::block::{Block, KEY_AT, SHAPE_AT, SLOTS_AT, write_key};
use crate::store::codec::{self, ODD, Replicas, VOID};
use crate::store::index::Index;
use crate::store::name::Names;
use crate::store::place::{Places, RecordId};
use crate::store::region::Region;
use crate::store::slab::Slab;
use crate::version::Plain;
use crate::{Dot, Entry, Key, Packer, ReplicaId, VersionVector};

/// More log slots than a byte can say.
const MANY: u8 = u8::MAX;

/// The lines of a block with a value of the usual size.
const WARM_LINES: [usize; 5] = [0, 64, 128, 192, 256];

/// All records.
#[derive(Debug)]
pub(super) struct Records {
    region: Region,
    index: Index,
    arena: Arena,
    places: Places,
    names: Replicas,
    maps: Names<Vec<u8>>,
    odd: Slab<Box<Entry>>,
    /// Log slots of records with more than a byte can say.
    many: BTreeMap<RecordId, u32>,
    seed: u64,
    /// An entry on its way into a block.
    scratch: Vec<u8>,
}

/// An entry: as it lies if it is plain, else taken out.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Plain(Plain<'a>),
    Entry(Entry),
}

// === impl Records ===

impl Records {
    /// `seed` makes hashes differ from process to process.
    pub(super) fn new(seed: ReplicaId) -> Self {
        let mut region = Region::default();
        // In this order: no block may be at the region's very beginning.
        let index = Index::new(&mut region);
        let arena = Arena::new(&mut region);
        Self {
            region,
            index,
            arena,
            places: Places::default(),
            names: Replicas::default(),
            maps: Names::default(),
            odd: Slab::default(),
            many: BTreeMap::new(),
            seed: seed.bits(),
            scratch: Vec::new(),
        }
    }

    pub(super) fn find(&self, key: KeyRef<'_>) -> Option<RecordId> {
        Some(self.id_at(self.find_block(key)?.0))
    }

    /// What a key has.
    pub(super) fn read(&self, key: KeyRef<'_>) -> Option<Found<'_>> {
        let (_, block) = self.find_block(key)?;
        let plain = codec::plain_version(block.shape, block.entry, &self.names);
        Some(plain.map_or_else(|| Found::Entry(self.entry_of(block)), Found::Plain))
    }

    /// What a key has, if its entry is plain: where it is, the version, and what it has superseded.
    pub(super) fn find_plain(&self, key: KeyRef<'_>) -> Option<(Position, Plain<'_>, VersionVector)> {
        let (position, block) = self.find_block(key)?;
        let (version, context) = codec::plain(block.shape, block.entry, &self.names)?;
        Some((position, version, context))
    }

    fn find_block(&self, key: KeyRef<'_>) -> Option<(Position, Block<'_>)> {
        let mut found = None;
        let meant = |bits| {
            let position = Position::from_bits(bits);
            // All of it comes at once, and not the value after the key.
            self.warm_block(position);
            let block = self.block_at(position);
            found = (block.key(&self.maps) == key).then_some((position, block));
            found.is_some()
        };
        self.index.find(&self.region, key.seeded_hash(self.seed), meant)?;
        found
    }

    /// Asks for the memory of records that will be looked at next: one wait for all, where they would follow each other.
    pub(super) fn warm(&self, ids: impl Iterator<Item = RecordId>) {
        for position in ids.filter_map(|id| self.places.find(id)) {
            self.warm_block(position);
        }
    }

    /// The same of the records of some keys.
    pub(super) fn warm_keys<'a>(&self, mut keys: impl Iterator<Item = KeyRef<'a>>) {
        loop {
            let mut hashes = [0; MAX_AHEAD];
            let mut count = 0;
            for (place, key) in hashes.iter_mut().zip(keys.by_ref()) {
                *place = self.hash(key);
                self.warm_index(*place);
                count += 1;
            }
            if count == 0 {
                return;
            }
            self.warm_hashed(&hashes[..count]);
        }
    }

    /// The same of the records of keys with these hashes, whose index is there.
    pub(super) fn warm_hashed(&self, hashes: &[u64]) {
        for hash in hashes {
            // Whichever block the index tries is the one, nearly always; what it holds is not looked at yet.
            if let Some(position) = self.index.find(&self.region, *hash, |_| true) {
                self.warm_block(Position::from_bits(position));
            }
        }
    }

    #[cfg(test)]
    pub(super) const fn memory(&self) -> usize {
        self.region.bytes()
    }

    /// Bytes of all spans in which something is.
    pub(super) const fn bytes(&self) -> u64 {
        self.arena.bytes() + self.index.bytes()
    }

    /// Bytes of all records that live.
    pub(super) fn live_bytes(&self) -> u64 {
        self.arena.live_bytes()
    }

    /// All records, in no order that means anything.
    pub(super) fn ids(&self) -> impl Iterator<Item = RecordId> + '_ {
        self.places.ids()
    }

    /// Whether there is such a record.
    pub(super) fn contains(&self, id: RecordId) -> bool {
        self.places.find(id).is_some()
    }

    pub(super) fn key(&self, id: RecordId) -> KeyRef<'_> {
        self.block(id).key(&self.maps)
    }

    pub(super) fn entry(&self, id: RecordId) -> Entry {
        self.entry_of(self.block(id))
    }

    fn entry_of(&self, block: Block<'_>) -> Entry {
        match block.shape {
            ODD => self.odd.get(block.number()).map(|entry| (**entry).clone()).unwrap_or_default(),
            shape => codec::decode(shape, block.entry, &self.names),
        }
    }

    /// Whether the entry has superseded anything.
    pub(super) fn has_context(&self, id: RecordId) -> bool {
        let block = self.block(id);
        match block.shape {
            ODD => self.odd.get(block.number()).is_some_and(|entry| !entry.context().is_empty()),
            shape => codec::has_context(shape),
        }
    }

    /// Calls for all dots of the entry.
    pub(super) fn each_dot(&self, id: RecordId, each: impl FnMut(Dot)) {
        let block = self.block(id);
        match block.shape {
            ODD => self.odd.get(block.number()).into_iter().flat_map(|entry| entry.dots()).for_each(each),
            shape => codec::each_dot(shape, block.entry, &self.names, each),
        }
    }

    /// Whether nothing is in the record's entry.
    pub(super) fn is_void(&self, id: RecordId) -> bool {
        self.block(id).shape == VOID
    }

    /// How many log slots name the record.
    pub(super) fn slots(&self, id: RecordId) -> u32 {
        match self.block(id).slots {
            MANY => self.many.get(&id).copied().unwrap_or_default(),
            slots => u32::from(slots),
        }
    }

    pub(super) fn set_slots(&mut self, id: RecordId, slots: u32) {
        let offset = self.places.get(id).offset();
        let byte = &mut self.region.at_mut(offset)[SLOTS_AT];
        if *byte == MANY {
            self.many.remove(&id);
        }
        *byte = u8::try_from(slots).unwrap_or(MANY);
        if *byte == MANY {
            self.many.insert(id, slots);
        }
    }

    /// Adds a record for a key that has none.
    pub(super) fn insert(&mut self, key: &Key, entry: &Entry) -> RecordId {
        let id = self.places.add();
        let (shape, bytes) = self.encode(entry);
        let mut prefix = Vec::new();
        write_key(key.borrow(), &mut self.maps, &mut prefix);
        let position = self.add_block(id, &prefix, codec::room(shape, bytes.len()));
        self.fill(position, 0, shape, &bytes);
        self.scratch = bytes;
        self.list(id, position, self.hash(key.borrow()));
        id
    }

    /// The same of a plain version that has superseded nothing, and whose key has a hash. `None` if it is too large.
    pub(super) fn insert_plain(&mut self, key: KeyRef<'_>, hash: u64, version: &Plain<'_>) -> Option<RecordId> {
        if !codec::fits(version) {
            return None;
        }
        let id = self.places.add();
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        write_key(key, &mut self.maps, &mut bytes);
        codec::encode_plain(version, &mut self.names, &mut bytes);
        let head = KEY_AT + bytes.len();
        let position = self.arena.add(&mut self.region, id, codec::room(codec::ONE, head + version.body.len()));
        let block = &mut self.region.at_mut(position.offset())[..head + version.body.len()];
        block[SLOTS_AT] = 0;
        block[SHAPE_AT] = codec::ONE;
        block[KEY_AT..head].copy_from_slice(&bytes);
        block[head..].copy_from_slice(version.body);
        self.scratch = bytes;
        self.list(id, position, hash);
        Some(id)
    }

    /// By which a key is found.
    pub(super) fn hash(&self, key: KeyRef<'_>) -> u64 {
        key.seeded_hash(self.seed)
    }

    /// Asks for the memory that says where a key with this hash is, or would be.
    pub(super) fn warm_index(&self, hash: u64) {
        self.index.warm(&self.region, hash);
    }

    /// So many records will be found.
    pub(super) fn reserve(&mut self, records: usize) {
        self.index.reserve(&mut self.region, records, hash_in(self.seed, &self.maps));
    }

    /// Packs a record's key and entry.
    pub(super) fn pack(&self, id: RecordId, packer: &mut Packer) {
        let block = self.block(id);
        let key = block.key(&self.maps);
        match codec::plain(block.shape, block.entry, &self.names) {
            Some((version, context)) => packer.add_plain(key, &context, version),
            None => packer.add(&key.to_key(), &[], &self.entry(id)),
        }
    }

    /// Makes a new record one that is found.
    fn list(&mut self, id: RecordId, position: Position, hash: u64) {
        self.places.set(id, position);
        self.index.insert(&mut self.region, hash, position.bits(), hash_in(self.seed, &self.maps));
    }

    /// Puts another entry in the place of a record's.
    pub(super) fn write(&mut self, id: RecordId, entry: &Entry) {
        let (shape, bytes) = self.encode(entry);
        self.release(id);
        self.place(id, shape, &bytes);
        self.scratch = bytes;
        self.reclaim();
    }

    /// Puts a plain version that is encoded in the place of a plain entry, and says which record that was; the log gets so
    /// many more slots that name it.
    pub(super) fn replace_plain(
        &mut self,
        position: Position,
        version: &Plain<'_>,
        context: &VersionVector,
        slots: u32,
    ) -> RecordId {
        let id = self.id_at(position);
        let block = Block::of(self.region.at(position.offset()));
        let (size, start, old_slots) = (block.size, block.size - block.entry.len(), block.slots);
        codec::release(block.shape, block.entry, &mut self.names);
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        let shape = codec::encode_plain_after(context, version, &mut self.names, &mut bytes);
        let head = start + bytes.len();
        let needed = head + version.body.len();
        if fits_well(needed, size) {
            let block = &mut self.region.at_mut(position.offset())[..needed];
            block[SHAPE_AT] = shape;
            block[start..head].copy_from_slice(&bytes);
            block[head..].copy_from_slice(version.body);
        } else {
            bytes.extend_from_slice(version.body);
            self.place(id, shape, &bytes);
            self.reclaim();
        }
        self.scratch = bytes;
        if slots > 0 {
            let before = if old_slots == MANY { self.slots(id) } else { u32::from(old_slots) };
            self.set_slots(id, before + slots);
        }
        id
    }

    /// The entry forgets what it has superseded.
    pub(super) fn clear_context(&mut self, id: RecordId) {
        let offset = self.places.get(id).offset();
        let bytes = self.region.at_mut(offset);
        let block = Block::of(bytes);
        if block.shape == ODD {
            let entry = Entry::new(self.entry(id).versions, VersionVector::new());
            self.write(id, &entry);
            return;
        }
        let (shape, start, size) = (block.shape, block.size - block.entry.len(), block.size);
        bytes[SHAPE_AT] = codec::clear_context(shape, &mut bytes[start..size], &mut self.names);
    }

    /// Removes a record; there are no log slots that name it.
    pub(super) fn remove(&mut self, id: RecordId) {
        self.release(id);
        self.set_slots(id, 0);
        let position = self.places.remove(id);
        let block = self.block_at(position);
        let (hash, map) = (block.key(&self.maps).seeded_hash(self.seed), block.map);
        self.maps.release(map);
        self.index.remove(&mut self.region, hash, position.bits());
        self.arena.remove(&mut self.region, position);
        self.reclaim();
    }

    /// Writes an entry into the record's block, or into another if it does not fit or would waste half of it.
    fn place(&mut self, id: RecordId, shape: u8, bytes: &[u8]) {
        let old = self.places.get(id);
        let block = self.block_at(old);
        let (size, slots) = (block.size, block.slots);
        let start = size - block.entry.len();
        let needed = start + bytes.len();
        let mut position = old;
        if !fits_well(needed, size) {
            let hash = block.key(&self.maps).seeded_hash(self.seed);
            let prefix = self.region.at(old.offset())[KEY_AT..start].to_vec();
            position = self.add_block(id, &prefix, codec::room(shape, bytes.len()));
            self.index.replace(&mut self.region, hash, old.bits(), position.bits());
            self.arena.remove(&mut self.region, old);
            self.places.set(id, position);
        }
        self.fill(position, slots, shape, bytes);
    }

    /// The entry's shape and bytes; give the bytes back as `scratch`.
    fn encode(&mut self, entry: &Entry) -> (u8, Vec<u8>) {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        let shape = codec::encode(entry, &mut self.names, &mut bytes).unwrap_or_else(|| {
            bytes.extend_from_slice(&self.odd.insert(Box::new(entry.clone())).to_le_bytes());
            ODD
        });
        (shape, bytes)
    }

    /// A block that begins with a key, and has room for an entry.
    fn add_block(&mut self, id: RecordId, key: &[u8], entry: usize) -> Position {
        let position = self.arena.add(&mut self.region, id, KEY_AT + key.len() + entry);
        self.region.at_mut(position.offset())[KEY_AT..KEY_AT + key.len()].copy_from_slice(key);
        position
    }

    /// Writes into a block that has room.
    fn fill(&mut self, position: Position, slots: u8, shape: u8, entry: &[u8]) {
        let bytes = self.region.at_mut(position.offset());
        let block = Block::of(bytes);
        let start = block.size - block.entry.len();
        bytes[SLOTS_AT] = slots;
        bytes[SHAPE_AT] = shape;
        bytes[start..start + entry.len()].copy_from_slice(entry);
    }

    /// What the record's entry holds elsewhere is given back.
    fn release(&mut self, id: RecordId) {
        let block = Block::of(self.region.at(self.places.get(id).offset()));
        match block.shape {
            ODD => self.odd.remove(block.number()),
            shape => codec::release(shape, block.entry, &mut self.names),
        }
    }

    /// Wins back memory of what is no more, a little at a time.
    fn reclaim(&mut self) {
        if !self.arena.wants_emptying() {
            return;
        }
        for (id, from, to) in self.arena.empty_one(&mut self.region) {
            self.places.set(id, to);
            let hash = self.key(id).seeded_hash(self.seed);
            self.index.replace(&mut self.region, hash, from.bits(), to.bits());
        }
    }

    fn id_at(&self, position: Position) -> RecordId {
        Arena::head(self.region.at(position.offset())).0
    }

    fn warm_block(&self, position: Position) {
        let bytes = self.region.at(position.offset());
        black_box(WARM_LINES.map(|at| bytes.get(at).copied()));
    }

    fn block(&self, id: RecordId) -> Block<'_> {
        debug_assert!(self.contains(id), "a void record was named");
        self.block_at(self.places.get(id))
    }

    fn block_at(&self, position: Position) -> Block<'_> {
        Block::of(self.region.at(position.offset()))
    }
}

/// Whether so many bytes stay in a block: they fit, and waste less than half of it.
const fn fits_well(needed: usize, size: usize) -> bool {
    needed <= size && needed >= size / 2
}

/// The hash of the key at a position.
fn hash_in(seed: u64, maps: &Names<Vec<u8>>) -> impl Fn(&Region, u32) -> u64 {
    move |region, position| Block::of(region.at(Position::from_bits(position).offset())).key(maps).seeded_hash(seed)
}
