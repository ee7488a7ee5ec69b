//! Keys with their entries, closely packed: what ranges and transfers mostly consist of.
//!
//! Most entries of one message are alike: keys of one map with one version by one replica, made one after the other. So
//! everything is said as its difference to the one before. All numbers are varints; differences are zigzag ones.
//!
//! ```text
//! items   item*
//! item    head, key, [slots], [context], version*
//! head    1 byte: number of versions (15: as a varint that follows) | HAS_SLOTS | HAS_CONTEXT
//! key     bytes shared with the key before, bytes that follow, those bytes
//! slots   number of them, differences to the slot before
//! context number of pairs, pairs of replica and counter
//! version 1 byte of flags, replica, difference to the counter before, difference to the hlc before, what the flags say:
//!         [writer: replica] [content type: text] [body: length, bytes] [added] [owner] [deadline]
//! owner   replica (0: none, else its number and 1), token, replica and counter of who has said it; if it was repeated, those
//!         of who gave it
//! replica number in the order of first use; a new one is followed by its 8 bytes
//! text    number in the order of first use; a new one is followed by its length and bytes
//! ```
//!
//! A transfer is packed out of the records of one store and unpacked into those of another: an entry that is one plain
//! version never becomes an [`Entry`] on its way.

mod packer;
mod unpacker;

use bytes::Bytes;

use crate::{ChunkItem, Entry, Key};

pub use packer::Packer;
pub(crate) use unpacker::{MAX_PARTS, Unpacked, UnpackedItem};

const HAS_SLOTS: u8 = 0x10;
const HAS_CONTEXT: u8 = 0x20;
/// Of a head, and its value when there are more.
const VERSIONS: u8 = 0x0f;
const HEAD: u8 = HAS_SLOTS | HAS_CONTEXT | VERSIONS;

const OTHER_WRITER: u8 = 0x01;
const HAS_VALUE: u8 = 0x02;
const HAS_TYPE: u8 = 0x04;
const HAS_ADDED: u8 = 0x08;
const HAS_OWNER: u8 = 0x10;
const CONFIRMED: u8 = 0x20;
const HAS_DEADLINE: u8 = 0x40;
const REPEATED: u8 = 0x80;

/// The bytes are not packed entries; nothing was read from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed packed entries")]
pub struct Malformed;

/// Packed entries as they were made or came, without slots. What came may be malformed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed(Bytes);

/// What the next one is compared with.
#[derive(Default)]
struct Last {
    slot: u64,
    counter: u64,
    hlc: u64,
}

// === impl Packed ===

impl Packed {
    /// From the wire, not looked at yet.
    pub const fn from_bytes(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// For the wire.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The entries, copied out.
    pub fn items(&self) -> Result<Vec<ChunkItem>, Malformed> {
        Ok(unpack(&self.0)?.into_iter().map(|(key, _, entry)| ChunkItem { key, entry }).collect())
    }

    /// What is in the bytes, without copying values.
    pub(crate) fn unpack(&self) -> Result<Unpacked<'_>, Malformed> {
        Unpacked::of(&self.0)
    }
}

impl FromIterator<ChunkItem> for Packed {
    fn from_iter<I: IntoIterator<Item = ChunkItem>>(items: I) -> Self {
        let mut packer = Packer::default();
        items.into_iter().for_each(|item| packer.add(&item.key, &[], &item.entry));
        packer.finish()
    }
}

/// Takes packed items apart: keys, their slots and their entries. Whatever the bytes are, no more is allocated than a
/// small multiple of them and a bound on keys.
pub fn unpack(packed: &[u8]) -> Result<Vec<(Key, Vec<u64>, Entry)>, Malformed> {
    let unpacked = Unpacked::of(packed)?;
    Ok(unpacked.items().map(|item| (item.key.to_key(), item.slots.to_vec(), item.to_entry())).collect())
}

#[cfg(test)]
mod tests;
