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
//! owner   replica (0: none, else its number and 1), token, replica and counter of the change
//! replica number in the order of first use; a new one is followed by its 8 bytes
//! text    number in the order of first use; a new one is followed by its length and bytes
//! ```

use baton_replica::{Dot, Entry, Hlc, Key, Owner, ReplicaId, Value, Version, VersionVector};
use bytes::{Buf, Bytes};
use prost::encoding::{decode_varint, encode_varint};

use crate::convert::WireError;
use crate::convert::shard::MAX_REPLICAS;

const HAS_SLOTS: u8 = 0x10;
const HAS_CONTEXT: u8 = 0x20;
/// Of a head, and its value when there are more.
const VERSIONS: u8 = 0x0f;

const OTHER_WRITER: u8 = 0x01;
const HAS_VALUE: u8 = 0x02;
const HAS_TYPE: u8 = 0x04;
const HAS_ADDED: u8 = 0x08;
const HAS_OWNER: u8 = 0x10;
const CONFIRMED: u8 = 0x20;
const HAS_DEADLINE: u8 = 0x40;

/// Keys and texts of one message take so many bytes at most, beside those that are really sent: what a batch may hold is
/// far less. Without a bound, a few bytes could each repeat a long key.
const MAX_REPEATED_BYTES: usize = 32 * 1024 * 1024;

const MALFORMED: WireError = WireError::Malformed("packed entries");

/// A key, its slots, which only ranges have, and its entry.
pub(super) type Unpacked = (Key, Vec<u64>, Entry);

/// Packs items one after the other.
#[derive(Default)]
pub(super) struct Packer {
    out: Vec<u8>,
    key: Vec<u8>,
    last: Last,
    replicas: Vec<ReplicaId>,
    texts: Vec<Box<str>>,
}

/// Takes them apart again.
struct Unpacker<'a> {
    rest: &'a [u8],
    key: Vec<u8>,
    /// Bytes of keys and texts that were not sent, but said to be those of earlier ones.
    repeated: usize,
    last: Last,
    replicas: Vec<ReplicaId>,
    texts: Vec<Box<str>>,
}

/// What the next one is compared with.
#[derive(Default)]
struct Last {
    slot: u64,
    counter: u64,
    hlc: u64,
}

// === impl Packer ===

impl Packer {
    /// Adds an item.
    pub(super) fn add(&mut self, key: &Key, slots: &[u64], entry: &Entry) {
        let (versions, context) = (entry.versions(), entry.context());
        let count = u8::try_from(versions.len()).unwrap_or(VERSIONS).min(VERSIONS);
        let slots_flag = if slots.is_empty() { 0 } else { HAS_SLOTS };
        let context_flag = if context.is_empty() { 0 } else { HAS_CONTEXT };
        self.out.push(count | slots_flag | context_flag);
        if count == VERSIONS {
            self.number(versions.len() as u64);
        }
        self.key(key.as_bytes());
        if !slots.is_empty() {
            self.number(slots.len() as u64);
        }
        for slot in slots {
            let before = std::mem::replace(&mut self.last.slot, *slot);
            self.difference(before, *slot);
        }
        if !context.is_empty() {
            self.number(context.iter().count() as u64);
        }
        for (replica, counter) in context.iter() {
            self.replica(replica);
            self.number(counter);
        }
        versions.iter().for_each(|version| self.version(version));
    }

    /// All that was added.
    pub(super) fn finish(self) -> Bytes {
        self.out.into()
    }

    fn key(&mut self, key: &[u8]) {
        let shared = self.key.iter().zip(key).take_while(|(before, now)| before == now).count();
        self.number(shared as u64);
        self.number((key.len() - shared) as u64);
        self.out.extend_from_slice(&key[shared..]);
        self.key.truncate(shared);
        self.key.extend_from_slice(&key[shared..]);
    }

    fn version(&mut self, version: &Version) {
        let Version { dot, hlc, writer, value, added, owner, expires_at } = version;
        let set = |flag: u8, when: bool| if when { flag } else { 0 };
        let typed = value.as_ref().is_some_and(|value| !value.content_type.is_empty());
        self.out.push(
            set(OTHER_WRITER, *writer != dot.replica)
                | set(HAS_VALUE, value.is_some())
                | set(HAS_TYPE, typed)
                | set(HAS_ADDED, *added != 0)
                | set(HAS_OWNER, owner.is_some())
                | set(CONFIRMED, owner.as_ref().is_some_and(|owner| owner.confirmed))
                | set(HAS_DEADLINE, expires_at.is_some()),
        );
        self.replica(dot.replica);
        let before = std::mem::replace(&mut self.last.counter, dot.counter);
        self.difference(before, dot.counter);
        let before = std::mem::replace(&mut self.last.hlc, hlc.bits());
        self.difference(before, hlc.bits());
        if *writer != dot.replica {
            self.replica(*writer);
        }
        if let Some(value) = value {
            if typed {
                self.text(&value.content_type);
            }
            self.number(value.body.len() as u64);
            self.out.extend_from_slice(&value.body);
        }
        if *added != 0 {
            self.number(zigzag(*added));
        }
        if let Some(owner) = owner {
            self.owner(owner);
        }
        if let Some(deadline) = expires_at {
            self.number(*deadline);
        }
    }

    fn owner(&mut self, owner: &Owner) {
        match owner.replica {
            None => self.number(0),
            Some(replica) => {
                let at = self.index(replica);
                self.number(at.0 + 1);
                self.new_replica(at.1, replica);
            }
        }
        self.number(owner.token);
        self.replica(owner.dot.replica);
        self.number(owner.dot.counter);
    }

    fn replica(&mut self, replica: ReplicaId) {
        let (at, new) = self.index(replica);
        self.number(at);
        self.new_replica(new, replica);
    }

    /// The number of a replica, and whether it is new.
    fn index(&self, replica: ReplicaId) -> (u64, bool) {
        let at = self.replicas.iter().position(|known| *known == replica);
        (at.unwrap_or(self.replicas.len()) as u64, at.is_none())
    }

    fn new_replica(&mut self, new: bool, replica: ReplicaId) {
        if new {
            self.replicas.push(replica);
            self.out.extend_from_slice(&replica.bits().to_le_bytes());
        }
    }

    fn text(&mut self, text: &str) {
        let at = self.texts.iter().position(|known| **known == *text);
        self.number(at.unwrap_or(self.texts.len()) as u64);
        if at.is_none() {
            self.texts.push(text.into());
            self.number(text.len() as u64);
            self.out.extend_from_slice(text.as_bytes());
        }
    }

    fn difference(&mut self, before: u64, now: u64) {
        self.number(zigzag(now.wrapping_sub(before).cast_signed()));
    }

    fn number(&mut self, number: u64) {
        encode_varint(number, &mut self.out);
    }
}

/// Takes packed items apart. Whatever the bytes are, no more is allocated than a small multiple of them and the bound on
/// keys.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<Unpacked>, WireError> {
    let (replicas, texts) = (Vec::new(), Vec::new());
    let mut unpacker = Unpacker { rest: packed, key: Vec::new(), repeated: 0, last: Last::default(), replicas, texts };
    let mut items = Vec::new();
    while unpacker.rest.has_remaining() {
        items.push(unpacker.item()?);
    }
    Ok(items)
}

// === impl Unpacker ===

impl<'a> Unpacker<'a> {
    fn item(&mut self) -> Result<Unpacked, WireError> {
        let head = self.byte()?;
        let count = match head & VERSIONS {
            VERSIONS => self.count()?,
            few => usize::from(few),
        };
        let key = self.key()?;
        let mut slots = Vec::new();
        if head & HAS_SLOTS != 0 {
            for _ in 0..self.count()? {
                self.last.slot = self.following(self.last.slot)?;
                slots.push(self.last.slot);
            }
        }
        let context = if head & HAS_CONTEXT != 0 { self.context()? } else { VersionVector::new() };
        let mut versions = Vec::with_capacity(count.min(1));
        for _ in 0..count {
            versions.push(self.version()?);
        }
        Ok((key, slots, Entry::new(versions, context)))
    }

    fn key(&mut self) -> Result<Key, WireError> {
        let shared = usize::try_from(self.number()?).map_err(|_| MALFORMED)?;
        let length = self.count()?;
        if shared > self.key.len() {
            return Err(MALFORMED);
        }
        self.repeat(shared)?;
        self.key.truncate(shared);
        let own = self.bytes(length)?;
        self.key.extend_from_slice(own);
        Ok(Key::from_wire(&self.key)?)
    }

    /// In increasing order of replicas, so that it is read in one pass.
    fn context(&mut self) -> Result<VersionVector, WireError> {
        let count = self.count()?;
        if count > MAX_REPLICAS {
            return Err(MALFORMED);
        }
        let mut context = VersionVector::new();
        let mut before = None;
        for _ in 0..count {
            let replica = self.replica()?;
            if before.replace(replica).is_some_and(|before| before >= replica) {
                return Err(MALFORMED);
            }
            context.raise(replica, self.number()?);
        }
        Ok(context)
    }

    fn version(&mut self) -> Result<Version, WireError> {
        let flags = self.byte()?;
        let has = |flag: u8| flags & flag != 0;
        let replica = self.replica()?;
        self.last.counter = self.following(self.last.counter)?;
        self.last.hlc = self.following(self.last.hlc)?;
        let (counter, hlc) = (self.last.counter, Hlc::from_bits(self.last.hlc));
        if counter == 0 {
            return Err(WireError::Malformed("a version's counter"));
        }
        let writer = if has(OTHER_WRITER) { self.replica()? } else { replica };
        let value = if has(HAS_VALUE) { Some(self.value(has(HAS_TYPE))?) } else { None };
        let added = if has(HAS_ADDED) { unzigzag(self.number()?) } else { 0 };
        let owner = if has(HAS_OWNER) { Some(Box::new(self.owner(has(CONFIRMED))?)) } else { None };
        let expires_at = if has(HAS_DEADLINE) { Some(self.number()?) } else { None };
        Ok(Version { dot: Dot { replica, counter }, hlc, writer, value, added, owner, expires_at })
    }

    fn value(&mut self, typed: bool) -> Result<Value, WireError> {
        let content_type = if typed { self.text()? } else { Box::default() };
        let length = self.count()?;
        // Copied, so that a small value does not keep a large frame alive.
        let body = Bytes::copy_from_slice(self.bytes(length)?);
        Ok(Value { content_type, body })
    }

    fn owner(&mut self, confirmed: bool) -> Result<Owner, WireError> {
        let replica = match self.number()? {
            0 => None,
            number => Some(self.replica_at(number - 1)?),
        };
        let token = self.number()?;
        let dot = Dot { replica: self.replica()?, counter: self.number()? };
        if dot.counter == 0 {
            return Err(WireError::Malformed("a change of owner"));
        }
        Ok(Owner { replica, token, dot, confirmed })
    }

    fn replica(&mut self) -> Result<ReplicaId, WireError> {
        let at = self.number()?;
        self.replica_at(at)
    }

    fn replica_at(&mut self, at: u64) -> Result<ReplicaId, WireError> {
        let at = usize::try_from(at).map_err(|_| MALFORMED)?;
        if at == self.replicas.len() {
            let bits = self.rest.try_get_u64_le().map_err(|_| MALFORMED)?;
            self.replicas.push(ReplicaId::new(bits).ok_or(WireError::Missing("a replica id"))?);
        }
        self.replicas.get(at).copied().ok_or(MALFORMED)
    }

    fn text(&mut self) -> Result<Box<str>, WireError> {
        let at = self.count_of_any()?;
        if at == self.texts.len() {
            let length = self.count()?;
            let text = self.bytes(length)?;
            self.texts.push(std::str::from_utf8(text).map_err(|_| MALFORMED)?.into());
        }
        let text = self.texts.get(at).cloned().ok_or(MALFORMED)?;
        self.repeat(text.len())?;
        Ok(text)
    }

    fn repeat(&mut self, bytes: usize) -> Result<(), WireError> {
        self.repeated = self.repeated.saturating_add(bytes);
        if self.repeated > MAX_REPEATED_BYTES { Err(MALFORMED) } else { Ok(()) }
    }

    fn following(&mut self, before: u64) -> Result<u64, WireError> {
        Ok(before.wrapping_add(unzigzag(self.number()?).cast_unsigned()))
    }

    /// A number of things that take a byte each at least.
    fn count(&mut self) -> Result<usize, WireError> {
        let count = self.count_of_any()?;
        if count > self.rest.remaining() { Err(MALFORMED) } else { Ok(count) }
    }

    fn count_of_any(&mut self) -> Result<usize, WireError> {
        usize::try_from(self.number()?).map_err(|_| MALFORMED)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(MALFORMED)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, WireError> {
        self.rest.try_get_u8().map_err(|_| MALFORMED)
    }

    fn number(&mut self) -> Result<u64, WireError> {
        decode_varint(&mut self.rest).map_err(|_| MALFORMED)
    }
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

#[cfg(test)]
mod tests;
