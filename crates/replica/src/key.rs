//! Keys: the name of a map and a byte string within it, as one ordered byte string.

use std::fmt;
use std::ops::Bound;

use bytes::{BufMut, Bytes, BytesMut};

/// The longest key within a map, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;

/// The longest name of a map, in bytes; Kubernetes' limit for names.
const MAX_MAP_BYTES: usize = 63;

/// The name of a map: lower-case letters, digits, `-`, `_` and `.`, at most 63, a letter or digit first and last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapName(String);

/// The name is not a map's; nothing was read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a map name has 1 to 63 of a-z, 0-9, '-', '_' and '.', and starts and ends with a letter or digit")]
pub struct MapNameError;

/// One key of one map: `[length of the map's name][the map's name][the key]`.
///
/// Keys of one map are neighbours and in the order of their bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

/// The bytes are not a key; nothing was read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Longer than [`MAX_KEY_BYTES`], or empty.
    #[error("a key has 1 to {MAX_KEY_BYTES} bytes, not {0}")]
    Length(usize),
    /// The map's part is malformed.
    #[error(transparent)]
    Map(#[from] MapNameError),
}

// === impl MapName ===

impl MapName {
    /// Checks a name.
    pub fn parse(name: &str) -> Result<Self, MapNameError> {
        let bytes = name.as_bytes();
        let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let inner = |byte: &u8| edge(byte) || matches!(byte, b'-' | b'_' | b'.');
        let fits = (1..=MAX_MAP_BYTES).contains(&bytes.len());
        let edges = bytes.first().is_some_and(edge) && bytes.last().is_some_and(edge);
        if fits && edges && bytes.iter().all(inner) { Ok(Self(name.to_owned())) } else { Err(MapNameError) }
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
        Ok(Self::compose(map, key))
    }

    /// A key as a peer sent it, copied out of the receive buffer.
    pub fn from_wire(bytes: &[u8]) -> Result<Self, KeyError> {
        let length = usize::from(*bytes.first().ok_or(MapNameError)?);
        let map = bytes.get(1..=length).and_then(|map| std::str::from_utf8(map).ok()).ok_or(MapNameError)?;
        Self::new(&MapName::parse(map)?, &bytes[1 + length..])
    }

    /// The composed bytes, for the wire.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The map's name.
    pub fn map(&self) -> &str {
        std::str::from_utf8(&self.0[1..=self.map_len()]).unwrap_or_default()
    }

    /// The key within its map.
    pub fn name(&self) -> &[u8] {
        &self.0[1 + self.map_len()..]
    }

    /// A hash that is the same on every machine and in every release; it chooses the shard.
    pub fn hash(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&self.0)
    }

    /// Where the keys of a map that start with a prefix begin, after a cursor if there is one.
    pub(crate) fn lower_bound(map: &MapName, prefix: &[u8], after: Option<&[u8]>) -> Bound<Self> {
        match after {
            Some(after) if after >= prefix => Bound::Excluded(Self::compose(map, after)),
            _ => Bound::Included(Self::compose(map, prefix)),
        }
    }

    fn compose(map: &MapName, key: &[u8]) -> Self {
        let map = map.0.as_bytes();
        let mut bytes = BytesMut::with_capacity(1 + map.len() + key.len());
        // A map's name has at most 63 bytes, so its length fits.
        bytes.put_u8(map.len() as u8);
        bytes.put_slice(map);
        bytes.put_slice(key);
        Self(bytes.freeze())
    }

    fn map_len(&self) -> usize {
        usize::from(self.0[0])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.map(), self.name().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_from_the_wire_is_the_key_that_was_sent() {
        let map = MapName::parse("players").expect("valid");
        let key = Key::new(&map, b"\x00p/1\xff").expect("valid");
        let back = Key::from_wire(key.as_bytes()).expect("valid");
        assert_eq!(back, key);
        assert_eq!((back.map(), back.name()), ("players", b"\x00p/1\xff".as_slice()));
    }

    #[test]
    fn malformed_names_and_keys_are_refused() {
        for name in ["", "-a", "a-", "A", "a/b", &"a".repeat(64)] {
            assert!(MapName::parse(name).is_err(), "{name}");
        }
        let map = MapName::parse("m").expect("valid");
        assert_eq!(Key::new(&map, b""), Err(KeyError::Length(0)));
        assert_eq!(Key::new(&map, &[0; 1025]), Err(KeyError::Length(1025)));
        for wire in [b"".as_slice(), b"\x05ab", b"\x01m", b"\x00k", b"\x02\xff\xffk"] {
            assert!(Key::from_wire(wire).is_err(), "{wire:?}");
        }
    }
}
