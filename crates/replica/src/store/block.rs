//! The block of a record: its head, its key, and its entry.
//!
//! ```text
//! block: [id: 4][size: 2][log slots: 1][shape of the entry: 1][key][entry]
//! key:   [number of the map: 1 or 3][length of the name: 1][name]
//!        [number of the map: 1 or 3][255 or 254][length of the name: 2]([length of the field: 2])?[name][field]
//! ```
//!
//! A map that has no number is 255, with its length and name.

use crate::key::KeyRef;
use crate::store::arena::{Arena, HEAD_BYTES};
use crate::store::name::{Names, UNNAMED};

pub(super) const SLOTS_AT: usize = HEAD_BYTES;
pub(super) const SHAPE_AT: usize = SLOTS_AT + 1;
pub(super) const KEY_AT: usize = SHAPE_AT + 1;

/// A map's number that takes two bytes more, and one that is none.
const HIGH: u8 = 254;
const RAW: u8 = 255;

/// A name's length that takes two bytes more, and one of a key with a field.
const LONG: u8 = 254;
const WITH_FIELD: u8 = 255;

/// A block taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub(super) size: usize,
    pub(super) slots: u8,
    pub(super) shape: u8,
    /// The number of the map.
    pub(super) map: u16,
    /// Of a map without a number.
    map_name: &'a [u8],
    name: &'a [u8],
    field: Option<&'a [u8]>,
    pub(super) entry: &'a [u8],
}

/// Reads a block from its beginning.
struct Cursor<'a> {
    bytes: &'a [u8],
}

/// Appends a key as it is in a block, which is one more use of its map's name.
pub(super) fn write_key(key: KeyRef<'_>, maps: &mut Names<Vec<u8>>, bytes: &mut Vec<u8>) {
    let (map, name) = (key.map(), key.name());
    let number = maps.acquire(map);
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

// === impl Block ===

impl<'a> Block<'a> {
    /// Reads what lies at the beginning of some bytes.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
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

    pub(super) fn key(self, maps: &'a Names<Vec<u8>>) -> KeyRef<'a> {
        let map = maps.get(self.map).map_or(self.map_name, Vec::as_slice);
        KeyRef::stored(map, self.name, self.field)
    }

    /// The number of an odd entry.
    pub(super) fn number(self) -> u32 {
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
