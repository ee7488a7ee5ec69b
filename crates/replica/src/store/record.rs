//! Records: where each key and its entry are.
//!
//! ```text
//! block: [id: 4][size: 2][log slots: 1][shape of the entry: 1][key][entry]
//! key:   [number of the map: 1 or 3][length of the name: 1][name]
//!        [number of the map: 1 or 3][255 or 254][length of the name: 2]([length of the field: 2])?[name][field]
//! ```
//!
//! A map that has no number is 255, with its length and name.
//!
//! What is too large for a block, or has too many parts, is an odd entry: it stays as it is, and the block has its number.

use std::collections::BTreeMap;
use std::hint::black_box;

use crate::key::KeyRef;
use crate::store::arena::{Arena, HEAD_BYTES, Position};
use crate::store::codec::{self, ODD, Replicas, VOID};
use crate::store::index::Index;
use crate::store::name::{Names, UNNAMED};
use crate::store::place::{Places, RecordId};
use crate::store::region::Region;
use crate::store::slab::Slab;
use crate::version::Plain;
use crate::{Dot, Entry, Key, Packer, ReplicaId, VersionVector};

const SLOTS_AT: usize = HEAD_BYTES;
const SHAPE_AT: usize = SLOTS_AT + 1;
const KEY_AT: usize = SHAPE_AT + 1;

/// More log slots than a byte can say.
const MANY: u8 = u8::MAX;

/// A map's number that takes two bytes more, and one that is none.
const HIGH: u8 = 254;
const RAW: u8 = 255;

/// A name's length that takes two bytes more, and one of a key with a field.
const LONG: u8 = 254;
const WITH_FIELD: u8 = 255;

/// From here on, memory that is read in order comes by itself.
const WARM_BYTES: usize = 128;

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

/// A block taken apart.
#[derive(Clone, Copy, Debug)]
struct Block<'a> {
    size: usize,
    slots: u8,
    shape: u8,
    map: u16,
    /// Of a map without a number.
    map_name: &'a [u8],
    name: &'a [u8],
    field: Option<&'a [u8]>,
    entry: &'a [u8],
}

/// Reads a block from its beginning.
struct Cursor<'a> {
    bytes: &'a [u8],
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
        Some(Arena::head(self.region.at(self.find_position(key)?.offset())).0)
    }

    /// What a key has.
    pub(super) fn read(&self, key: KeyRef<'_>) -> Option<Found<'_>> {
        let block = self.block_at(self.find_position(key)?);
        let plain = codec::plain_version(block.shape, block.entry, &self.names);
        Some(plain.map_or_else(|| Found::Entry(self.entry_of(block)), Found::Plain))
    }

    fn find_position(&self, key: KeyRef<'_>) -> Option<Position> {
        let meant = |position| self.block_at(Position::from_bits(position)).key(&self.maps) == key;
        self.index.find(&self.region, key.seeded_hash(self.seed), meant).map(Position::from_bits)
    }

    /// Asks for the memory of records that will be looked at next: one wait for all, where they would follow each other.
    pub(super) fn warm(&self, ids: impl Iterator<Item = RecordId>) {
        for position in ids.filter_map(|id| self.places.find(id)) {
            self.warm_block(position);
        }
    }

    /// The same of the records of some keys.
    pub(super) fn warm_keys<'a>(&self, keys: impl Iterator<Item = KeyRef<'a>> + Clone) {
        let hashes = keys.clone().map(|key| key.seeded_hash(self.seed));
        hashes.for_each(|hash| self.index.warm(&self.region, hash));
        for key in keys {
            // Whichever block the index tries is the one, nearly always; what it holds is not looked at yet.
            let tried = |position| {
                self.warm_block(Position::from_bits(position));
                true
            };
            self.index.find(&self.region, key.seeded_hash(self.seed), tried);
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

    /// The only version, if the entry is plain, and what it has superseded.
    pub(super) fn plain(&self, id: RecordId) -> Option<(Plain<'_>, VersionVector)> {
        let block = self.block(id);
        codec::plain(block.shape, block.entry, &self.names)
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
        self.encode_key(key.borrow(), &mut prefix);
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
        self.encode_key(key, &mut bytes);
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

    /// Asks for the memory that says where keys with these hashes are, or would be.
    pub(super) fn warm_index(&self, hashes: &[u64]) {
        hashes.iter().for_each(|hash| self.index.warm(&self.region, *hash));
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
        if needed > size || needed < size / 2 {
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

    /// Appends a key's bytes in its block.
    fn encode_key(&mut self, key: KeyRef<'_>, bytes: &mut Vec<u8>) {
        let (map, name) = (key.map(), key.name());
        let number = self.maps.acquire(map);
        match (number, u8::try_from(number)) {
            (UNNAMED, _) => {
                bytes.extend_from_slice(&[RAW, map.len() as u8]);
                bytes.extend_from_slice(map);
            }
            (_, Ok(number)) if number < HIGH => bytes.push(number),
            (number, _) => {
                bytes.push(HIGH);
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        let len = (name.len() as u16).to_le_bytes();
        match (key.field(), u8::try_from(name.len())) {
            (Some(field), _) => {
                bytes.push(WITH_FIELD);
                bytes.extend_from_slice(&len);
                bytes.extend_from_slice(&(field.len() as u16).to_le_bytes());
            }
            (None, Ok(len)) if len < LONG => bytes.push(len),
            (None, _) => {
                bytes.push(LONG);
                bytes.extend_from_slice(&len);
            }
        }
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(key.field().unwrap_or_default());
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

    fn warm_block(&self, position: Position) {
        let bytes = self.region.at(position.offset());
        black_box((bytes.first(), bytes.get(WARM_BYTES)));
    }

    fn block(&self, id: RecordId) -> Block<'_> {
        debug_assert!(self.contains(id), "a void record was named");
        self.block_at(self.places.get(id))
    }

    fn block_at(&self, position: Position) -> Block<'_> {
        Block::of(self.region.at(position.offset()))
    }
}

// === impl Block ===

impl<'a> Block<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let (_, size) = Arena::head(bytes);
        let mut rest = Cursor { bytes: &bytes[KEY_AT..size] };
        let (map, map_name) = match rest.byte() {
            RAW => {
                let len = rest.byte();
                (UNNAMED, rest.slice(usize::from(len)))
            }
            HIGH => (rest.short(), [].as_slice()),
            number => (u16::from(number), [].as_slice()),
        };
        let (name, field) = match rest.byte() {
            WITH_FIELD => (rest.short(), Some(rest.short())),
            LONG => (rest.short(), None),
            len => (u16::from(len), None),
        };
        let name = rest.slice(usize::from(name));
        let field = field.map(|len| rest.slice(usize::from(len)));
        Self { size, slots: bytes[SLOTS_AT], shape: bytes[SHAPE_AT], map, map_name, name, field, entry: rest.bytes }
    }

    fn key(self, maps: &'a Names<Vec<u8>>) -> KeyRef<'a> {
        let map = maps.get(self.map).map_or(self.map_name, Vec::as_slice);
        KeyRef::stored(map, self.name, self.field)
    }

    /// The number of an odd entry.
    fn number(self) -> u32 {
        self.entry.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    fn slice(&mut self, len: usize) -> &'a [u8] {
        let (slice, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        slice
    }

    fn byte(&mut self) -> u8 {
        self.slice(1)[0]
    }

    fn short(&mut self) -> u16 {
        self.slice(2).first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes))
    }
}

/// The hash of the key at a position.
fn hash_in(seed: u64, maps: &Names<Vec<u8>>) -> impl Fn(&Region, u32) -> u64 {
    move |region, position| Block::of(region.at(Position::from_bits(position).offset())).key(maps).seeded_hash(seed)
}
