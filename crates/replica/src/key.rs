//! Keys: the name of a map, a byte string within it, and perhaps a field, as one byte string.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;

use bytes::{BufMut, Bytes, BytesMut};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The longest key within a map, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;

/// The longest field of a key, in bytes.
pub const MAX_FIELD_BYTES: usize = 1024;

/// The longest name of a map, in bytes; Kubernetes' limit for names.
const MAX_MAP_BYTES: usize = 63;

/// Before the map's name: its length with the mark of a field, and the length of the key.
const HEADER_BYTES: usize = 3;

/// Set in the first byte when the key has a field.
const HAS_FIELD: u8 = 0x80;

/// No name of a map has a zero.
const END_OF_MAP: &[u8] = &[0];

/// After the name of a map: above all keys of that map, and below those of any other that is greater.
const PAST_MAP: u8 = 1;

/// A zero of a name, and its ends, in ordinals.
const ONE_ZERO: &[u8] = &[0, 255];
const END_BEFORE_FIELD: &[u8] = &[0, 1];
const END: &[u8] = &[0, 0];

/// The name of a map: lower-case letters, digits, `-`, `_` and `.`, at most 63, a letter or digit first and last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapName(String);

/// The name is not a map's; nothing was read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a map name has 1 to 63 of a-z, 0-9, '-', '_' and '.', and starts and ends with a letter or digit")]
pub struct MapNameError;

/// One key of one map, or one field of a key:
/// `[map's length, with a mark if there is a field: 1][key's length: 2][map's name][key][field]`.
///
/// The order is that of the maps' names, then of the keys' bytes, then of the fields': a key without a field comes
/// before all of its fields.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(Bytes);

/// A key, in parts that lie somewhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyRef<'a> {
    map: &'a [u8],
    name: &'a [u8],
    field: Option<&'a [u8]>,
}

/// The bytes are not a key; nothing was read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Longer than [`MAX_KEY_BYTES`], or empty.
    #[error("a key has 1 to {MAX_KEY_BYTES} bytes, not {0}")]
    Length(usize),
    /// Longer than [`MAX_FIELD_BYTES`].
    #[error("a field has at most {MAX_FIELD_BYTES} bytes, not {0}")]
    Field(usize),
    /// The map's part is malformed.
    #[error(transparent)]
    Map(#[from] MapNameError),
}

// === impl MapName ===

impl MapName {
    /// Checks a name.
    pub fn parse(name: &str) -> Result<Self, MapNameError> {
        if is_map_name(name.as_bytes()) { Ok(Self(name.to_owned())) } else { Err(MapNameError) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Key ===

impl Key {
    /// A key of a map; 1 to [`MAX_KEY_BYTES`] bytes.
    pub fn new(map: &MapName, key: &[u8]) -> Result<Self, KeyError> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(KeyError::Length(key.len()));
        }
        Ok(Self::compose(map, key, None))
    }

    /// Whether some bytes are the name of a map.
    pub fn is_map(name: &[u8]) -> bool {
        is_map_name(name)
    }

    /// A key of the map that some bytes name: [`Self::new`] without a name to be made first.
    pub fn of_parts(map: &[u8], key: &[u8]) -> Result<Self, KeyError> {
        if !is_map_name(map) {
            return Err(MapNameError.into());
        }
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(KeyError::Length(key.len()));
        }
        Ok(Self(assemble(map, key, None)))
    }

    /// A field of a key; at most [`MAX_FIELD_BYTES`] bytes.
    pub fn with_field(&self, field: &[u8]) -> Result<Self, KeyError> {
        if field.len() > MAX_FIELD_BYTES {
            return Err(KeyError::Field(field.len()));
        }
        Ok(Self(assemble(self.map().as_bytes(), self.name(), Some(field))))
    }

    /// The key that a field belongs to.
    pub fn without_field(&self) -> Self {
        match self.field() {
            Some(_) => Self(assemble(self.map().as_bytes(), self.name(), None)),
            None => self.clone(),
        }
    }

    /// What is above the key and all of its fields, and below all other keys that are.
    pub(crate) fn past_fields(&self) -> Self {
        let key = self.borrow();
        // No byte string lies between a name and the same with a zero.
        Self(assemble(key.map, &[key.name, &[0]].concat(), None))
    }

    /// Whether both are of one key: it, or fields of it.
    pub(crate) fn is_of_same_name(&self, other: &Self) -> bool {
        let (mine, other) = (self.borrow(), other.borrow());
        mine.map == other.map && mine.name == other.name
    }

    /// A key as a peer sent it, copied out of the receive buffer.
    pub fn from_wire(bytes: &[u8]) -> Result<Self, KeyError> {
        // One key has one way to be composed, and this is it.
        KeyRef::from_wire(bytes).map(|_| Self(Bytes::copy_from_slice(bytes)))
    }

    /// The composed bytes, for the wire.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The map's name.
    pub fn map(&self) -> &str {
        std::str::from_utf8(self.borrow().map).unwrap_or_default()
    }

    /// The key within its map.
    pub fn name(&self) -> &[u8] {
        self.borrow().name
    }

    /// The field, if the entry is one of several under a key.
    pub fn field(&self) -> Option<&[u8]> {
        self.borrow().field
    }

    /// A hash of map and key, the same on every machine and in every release; it chooses the shard. Fields do not count,
    /// so that all fields of a key are in one shard.
    pub fn hash(&self) -> u64 {
        if self.field().is_none() {
            return xxh3_64(&self.0);
        }
        xxh3_64(&assemble(self.map().as_bytes(), self.name(), None))
    }

    /// Where the keys of a map that start with a prefix begin, after all fields of a key if one is given.
    pub(crate) fn lower_bound(map: &MapName, prefix: &[u8], after: Option<&[u8]>) -> Bound<Self> {
        let Some(after) = after.filter(|after| *after >= prefix) else {
            return Bound::Included(Self::compose(map, prefix, None));
        };
        // No byte string lies between a name and the same with a zero.
        let successor = [after, &[0]].concat();
        Bound::Included(Self::compose(map, &successor, None))
    }

    /// Where the keys of a map that start with a prefix end, before a key and all of its fields if one is given.
    pub(crate) fn upper_bound(map: &MapName, prefix: &[u8], before: Option<&[u8]>) -> Self {
        let end = match prefix.iter().rposition(|byte| *byte < u8::MAX) {
            Some(last) => {
                let mut successor = prefix[..=last].to_vec();
                successor[last] += 1;
                Self::compose(map, &successor, None)
            }
            None => Self(assemble(&[map.0.as_bytes(), &[PAST_MAP]].concat(), &[], None)),
        };
        before.map_or(end.clone(), |before| end.min(Self::compose(map, before, None)))
    }

    fn compose(map: &MapName, key: &[u8], field: Option<&[u8]>) -> Self {
        Self(assemble(map.0.as_bytes(), key, field))
    }

    pub(crate) fn borrow(&self) -> KeyRef<'_> {
        KeyRef::composed(&self.0)
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.borrow().cmp(&other.borrow())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.map(), self.name().escape_ascii())?;
        self.field().map_or(Ok(()), |field| write!(f, "#{}", field.escape_ascii()))
    }
}

// === impl KeyRef ===

impl<'a> KeyRef<'a> {
    /// A key whose parts were checked when they were stored.
    pub(crate) const fn stored(map: &'a [u8], name: &'a [u8], field: Option<&'a [u8]>) -> Self {
        Self { map, name, field }
    }

    /// A key from its composed bytes, which were checked.
    pub(crate) fn composed(bytes: &'a [u8]) -> Self {
        let (header, rest) = bytes.split_at(HEADER_BYTES);
        let (map, rest) = rest.split_at(usize::from(header[0] & !HAS_FIELD));
        let (name, field) = rest.split_at(usize::from(u16::from_be_bytes([header[1], header[2]])));
        Self { map, name, field: (header[0] & HAS_FIELD != 0).then_some(field) }
    }

    /// A key as a peer sent it.
    pub(crate) fn from_wire(bytes: &'a [u8]) -> Result<Self, KeyError> {
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES).ok_or(MapNameError)?;
        let map_len = usize::from(header[0] & !HAS_FIELD);
        let name_len = usize::from(u16::from_be_bytes([header[1], header[2]]));
        let (map, rest) = rest.split_at_checked(map_len).ok_or(MapNameError)?;
        let (name, field) = rest.split_at_checked(name_len).ok_or(KeyError::Length(rest.len()))?;
        if !is_map_name(map) {
            return Err(MapNameError.into());
        }
        if name.is_empty() || name.len() > MAX_KEY_BYTES {
            return Err(KeyError::Length(name.len()));
        }
        match header[0] & HAS_FIELD {
            0 if !field.is_empty() => Err(KeyError::Length(rest.len())),
            0 => Ok(Self { map, name, field: None }),
            _ if field.len() > MAX_FIELD_BYTES => Err(KeyError::Field(field.len())),
            _ => Ok(Self { map, name, field: Some(field) }),
        }
    }

    pub(crate) const fn map(self) -> &'a [u8] {
        self.map
    }

    pub(crate) const fn name(self) -> &'a [u8] {
        self.name
    }

    pub(crate) const fn field(self) -> Option<&'a [u8]> {
        self.field
    }

    pub(crate) fn to_key(self) -> Key {
        Key(assemble(self.map, self.name, self.field))
    }

    /// Appends the composed bytes.
    pub(crate) fn compose(self, out: &mut impl BufMut) {
        let tail = self.field.unwrap_or_default();
        out.put_u8(self.map.len() as u8 | if self.field.is_some() { HAS_FIELD } else { 0 });
        out.put_u16(self.name.len() as u16);
        out.put_slice(self.map);
        out.put_slice(self.name);
        out.put_slice(tail);
    }

    /// A hash for the memory of one process.
    pub(crate) fn seeded_hash(self, seed: u64) -> u64 {
        let name = xxh3_64_with_seed(self.name, xxh3_64_with_seed(self.map, seed));
        self.field.map_or(name, |field| xxh3_64_with_seed(field, !name))
    }

    /// A byte string that is ordered as the key is, among those of other keys: zeros in the name are told from its end.
    pub(crate) fn ordinal(self) -> impl Iterator<Item = u8> + 'a {
        let name = self.name.iter().flat_map(|byte| if *byte == 0 { ONE_ZERO } else { std::slice::from_ref(byte) });
        let end = if self.field.is_some() { END_BEFORE_FIELD } else { END };
        let field = self.field.unwrap_or_default();
        self.map.iter().chain(END_OF_MAP).chain(name).chain(end).chain(field).copied()
    }

    /// The two bytes of the ordinal that follow so many, zeros where it has ended.
    pub(crate) fn ordinal_at(self, skip: usize) -> u16 {
        // Without a zero before them they are where they are in the name.
        let in_name = skip.checked_sub(self.map.len() + END_OF_MAP.len());
        let plain = in_name.and_then(|at| self.name.get(..at + 2)).filter(|name| !name.contains(&0));
        if let Some(bytes) = plain.and_then(<[u8]>::last_chunk) {
            return u16::from_be_bytes(*bytes);
        }
        let mut rest = self.ordinal().skip(skip);
        let mut next = || rest.next().unwrap_or_default();
        u16::from_be_bytes([next(), next()])
    }

    const fn parts(self) -> (&'a [u8], &'a [u8], Option<&'a [u8]>) {
        (self.map, self.name, self.field)
    }
}

impl Ord for KeyRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for KeyRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The lengths fit: names of maps have at most 63 bytes, keys at most 1,025 with the zero of a bound.
fn is_map_name(bytes: &[u8]) -> bool {
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: &u8| edge(byte) || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=MAX_MAP_BYTES).contains(&bytes.len());
    let edges = bytes.first().is_some_and(edge) && bytes.last().is_some_and(edge);
    fits && edges && bytes.iter().all(inner)
}

fn assemble(map: &[u8], name: &[u8], field: Option<&[u8]>) -> Bytes {
    let bytes = HEADER_BYTES + map.len() + name.len() + field.map_or(0, <[u8]>::len);
    let mut out = BytesMut::with_capacity(bytes);
    KeyRef { map, name, field }.compose(&mut out);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &[u8]) -> Key {
        Key::new(&MapName::parse("players").expect("valid"), name).expect("valid")
    }

    #[test]
    fn a_key_from_the_wire_is_the_key_that_was_sent() {
        for key in [
            key(b"\x00p/1\xff"),
            key(b"p").with_field(b"").expect("short"),
            key(b"p").with_field(b"f\0").expect("short"),
        ] {
            let back = Key::from_wire(key.as_bytes()).expect("valid");
            assert_eq!(back, key);
            assert_eq!((back.map(), back.name(), back.field()), ("players", key.name(), key.field()));
        }
    }

    #[test]
    fn a_key_comes_before_its_fields_and_those_before_the_next_key() {
        let in_order = [
            key(b"a"),
            key(b"a").with_field(b"").expect("short"),
            key(b"a").with_field(b"x").expect("short"),
            key(b"a\0"),
            key(b"a\0").with_field(b"x").expect("short"),
            key(b"aa"),
            key(b"b"),
        ];
        assert!(in_order.is_sorted());
        assert!(in_order.is_sorted_by(|a, b| a.borrow().ordinal().lt(b.borrow().ordinal())));
    }

    #[test]
    fn two_bytes_of_an_ordinal_are_those_of_the_whole() {
        let field = key(b"ab").with_field(b"\0f").expect("short");
        for key in [key(b"abcdef"), key(b"a"), key(b"ab\0cd\0"), key(b"\0\0"), field] {
            for skip in 0..20 {
                let mut rest = key.borrow().ordinal().skip(skip);
                let two = [rest.next().unwrap_or_default(), rest.next().unwrap_or_default()];
                assert_eq!(key.borrow().ordinal_at(skip), u16::from_be_bytes(two), "{key:?} from {skip}");
            }
        }
    }

    #[test]
    fn the_fields_of_a_key_are_in_its_shard() {
        assert_eq!(key(b"a").with_field(b"x").expect("short").hash(), key(b"a").hash());
        assert_ne!(key(b"a").hash(), key(b"b").hash());
    }

    #[test]
    fn malformed_names_and_keys_are_refused() {
        for name in ["", "-a", "a-", "A", "a/b", &"a".repeat(64)] {
            assert!(MapName::parse(name).is_err(), "{name}");
        }
        let map = MapName::parse("m").expect("valid");
        assert_eq!(Key::new(&map, b""), Err(KeyError::Length(0)));
        assert_eq!(Key::new(&map, &[0; 1025]), Err(KeyError::Length(1025)));
        assert_eq!(Key::new(&map, b"k").and_then(|key| key.with_field(&[0; 1025])), Err(KeyError::Field(1025)));
        let wires =
            [b"".as_slice(), b"\x05\0\x01ab", b"\x01\0\0m", b"\0\0\x01k", b"\x02\0\x01\xff\xffk", b"\x01\0\x01mkf"];
        for wire in wires {
            assert!(Key::from_wire(wire).is_err(), "{wire:?}");
        }
    }
}
