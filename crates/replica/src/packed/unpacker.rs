//! Takes packed entries apart.

use bytes::Bytes;

use crate::key::KeyRef;
use crate::packed::{
    CONFIRMED, HAS_ADDED, HAS_CONTEXT, HAS_DEADLINE, HAS_OWNER, HAS_SLOTS, HAS_TYPE, HAS_VALUE, HEAD, Last, Malformed,
    OTHER_WRITER, REPEATED, VERSIONS,
};
use crate::version::Plain;
use crate::{Dot, Entry, Hlc, Owner, ReplicaId, Value, Version, VersionVector};

/// Keys and texts of one message take so many bytes at most, beside those that are really sent: what a batch may hold is
/// far less. Without a bound, a few bytes could each repeat a long key. Where wrong protocols are looked for it is so low
/// that a small group comes to it.
pub(super) const MAX_REPEATED_BYTES: usize = if cfg!(feature = "mutants") { 256 * 1024 } else { 32 * 1024 * 1024 };

/// Items, slots, dots of contexts and versions of one message, together: several times what a batch has. Each takes some
/// hundred bytes of memory, and as few as one on the wire.
pub(crate) const MAX_PARTS: usize = 1 << 18;

/// Far more than a frame may have; places in keys are said in 32 bits.
const MAX_PACKED_BYTES: usize = 1 << 30;

/// Most replicas in one context: far above any group's size, far below what could hurt.
const MAX_REPLICAS: usize = 65_536;

/// Most versions of one entry: to join two entries, each version of one is looked for in the other. Siblings are as many
/// as replicas that wrote unseen by each other, and what ended replicas have added to a counter goes with its next addition.
const MAX_VERSIONS: usize = 16_384;

/// Sound items. Keys and slots are copied together; values lie where they were received.
#[derive(Default)]
pub(crate) struct Unpacked<'a> {
    keys: Vec<u8>,
    slots: Vec<u64>,
    places: Vec<Place<'a>>,
}

/// One of them.
#[derive(Clone, Copy)]
pub(crate) struct UnpackedItem<'a> {
    pub(crate) key: KeyRef<'a>,
    /// The key as a whole.
    pub(crate) key_bytes: &'a [u8],
    pub(crate) slots: &'a [u64],
    entry: &'a Packing<'a>,
}

/// Where an item's key and slots begin and end.
struct Place<'a> {
    key: [u32; 2],
    slots: [u32; 2],
    entry: Packing<'a>,
}

enum Packing<'a> {
    /// One plain version that has superseded nothing.
    Plain(Plain<'a>),
    Entry(Entry),
}

struct Unpacker<'a> {
    rest: &'a [u8],
    items: Unpacked<'a>,
    /// Bytes of keys and texts that were not sent, but said to be those of earlier ones.
    repeated: usize,
    parts: usize,
    last: Last,
    replicas: Vec<ReplicaId>,
    texts: Vec<&'a str>,
}

// === impl Unpacked ===

impl<'a> Unpacked<'a> {
    pub(super) fn of(packed: &'a [u8]) -> Result<Self, Malformed> {
        let mut unpacker = Unpacker {
            rest: packed,
            items: Self::default(),
            repeated: 0,
            parts: 0,
            last: Last::default(),
            replicas: Vec::new(),
            texts: Vec::new(),
        };
        if packed.len() > MAX_PACKED_BYTES {
            return Err(Malformed);
        }
        while !unpacker.rest.is_empty() {
            unpacker.item()?;
        }
        Ok(unpacker.items)
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = UnpackedItem<'_>> {
        self.places.iter().map(|place| {
            let key_bytes = part(&self.keys, place.key);
            let slots = part(&self.slots, place.slots);
            UnpackedItem { key: KeyRef::composed(key_bytes), key_bytes, slots, entry: &place.entry }
        })
    }
}

// === impl UnpackedItem ===

impl<'a> UnpackedItem<'a> {
    /// The only version, if there is one that is plain and has superseded nothing.
    pub(crate) const fn plain(&self) -> Option<Plain<'a>> {
        match self.entry {
            Packing::Plain(plain) => Some(*plain),
            Packing::Entry(_) => None,
        }
    }

    /// The highest counter of a replica in it; 0 if there is none.
    pub(crate) fn last_of(&self, replica: ReplicaId) -> u64 {
        let of = |dot: Dot| if dot.replica == replica { dot.counter } else { 0 };
        match self.entry {
            Packing::Plain(plain) => of(plain.dot),
            Packing::Entry(entry) => entry.dots().map(of).max().unwrap_or_default(),
        }
    }

    /// The entry, copied, so that a small value does not keep a large frame alive.
    pub(crate) fn to_entry(self) -> Entry {
        match self.entry {
            Packing::Plain(plain) => Entry::new(vec![plain.to_version()], VersionVector::new()),
            Packing::Entry(entry) => entry.clone(),
        }
    }
}

// === impl Unpacker ===

impl<'a> Unpacker<'a> {
    fn item(&mut self) -> Result<(), Malformed> {
        let head = self.byte()?;
        if head & !HEAD != 0 {
            return Err(Malformed);
        }
        let count = match head & VERSIONS {
            VERSIONS => self.count()?,
            few => usize::from(few),
        };
        if count > MAX_VERSIONS {
            return Err(Malformed);
        }
        self.add_parts(1 + count)?;
        let key = self.key()?;
        let slots = if head & HAS_SLOTS != 0 { self.slots()? } else { [0, 0] };
        let context = if head & HAS_CONTEXT != 0 { self.context()? } else { VersionVector::new() };
        let entry = match self.plain(count, &context)? {
            Some(plain) => Packing::Plain(plain),
            None => {
                let mut versions = Vec::with_capacity(count.min(1));
                for _ in 0..count {
                    versions.push(self.version()?);
                }
                Packing::Entry(Entry::new(versions, context))
            }
        };
        self.items.places.push(Place { key, slots, entry });
        Ok(())
    }

    fn key(&mut self) -> Result<[u32; 2], Malformed> {
        let shared = self.count_of_any()?;
        let length = self.count()?;
        let keys = &mut self.items.keys;
        let before = self.items.places.last().map_or(0..0, |last| last.key[0] as usize..last.key[1] as usize);
        if shared > before.len() {
            return Err(Malformed);
        }
        let start = keys.len();
        self.repeated = self.repeated.saturating_add(shared);
        if self.repeated > MAX_REPEATED_BYTES {
            return Err(Malformed);
        }
        keys.extend_from_within(before.start..before.start + shared);
        let own = bytes(&mut self.rest, length)?;
        keys.extend_from_slice(own);
        KeyRef::from_wire(&keys[start..]).map_err(|_| Malformed)?;
        Ok([start as u32, keys.len() as u32])
    }

    fn slots(&mut self) -> Result<[u32; 2], Malformed> {
        let start = self.items.slots.len();
        let count = self.count()?;
        self.add_parts(count)?;
        for _ in 0..count {
            self.last.slot = self.following(self.last.slot)?;
            self.items.slots.push(self.last.slot);
        }
        Ok([start as u32, self.items.slots.len() as u32])
    }

    /// In increasing order of replicas, so that it is read in one pass.
    fn context(&mut self) -> Result<VersionVector, Malformed> {
        let count = self.count()?;
        if count > MAX_REPLICAS {
            return Err(Malformed);
        }
        self.add_parts(count)?;
        let mut context = VersionVector::new();
        let mut before = None;
        for _ in 0..count {
            let replica = self.replica()?;
            if before.replace(replica).is_some_and(|before| before >= replica) {
                return Err(Malformed);
            }
            context.raise(replica, self.number()?);
        }
        Ok(context)
    }

    /// The version, if it is the only one, plain, and has superseded nothing; else nothing is read.
    fn plain(&mut self, count: usize, context: &VersionVector) -> Result<Option<Plain<'a>>, Malformed> {
        let flags = self.rest.first().copied().unwrap_or_default();
        if count != 1 || !context.is_empty() || flags & !HAS_TYPE != HAS_VALUE {
            return Ok(None);
        }
        self.byte()?;
        let (dot, hlc) = self.birth()?;
        let (content_type, body) = self.value(flags & HAS_TYPE != 0)?;
        Ok(Some(Plain { dot, hlc, content_type: content_type.as_bytes(), body }))
    }

    fn version(&mut self) -> Result<Version, Malformed> {
        let flags = self.byte()?;
        let has = |flag: u8| flags & flag != 0;
        if has(REPEATED) && !has(HAS_OWNER) {
            // What a newer release may mean by it cannot be passed over: nothing tells how long it is.
            return Err(Malformed);
        }
        let (dot, hlc) = self.birth()?;
        let writer = if has(OTHER_WRITER) { self.replica()? } else { dot.replica };
        let value = if has(HAS_VALUE) { Some(self.value(has(HAS_TYPE))?) } else { None };
        // Copied, so that a small value does not keep a large frame alive.
        let value = value.map(|(content_type, body)| Value {
            content_type: content_type.into(),
            body: Bytes::copy_from_slice(body),
        });
        let added = if has(HAS_ADDED) { unzigzag(self.number()?) } else { 0 };
        let owner = if has(HAS_OWNER) { Some(Box::new(self.owner(flags)?)) } else { None };
        let expires_at = if has(HAS_DEADLINE) { Some(self.number()?) } else { None };
        Ok(Version { dot, hlc, writer, value, added, owner, expires_at })
    }

    /// Who made a version, and when.
    fn birth(&mut self) -> Result<(Dot, Hlc), Malformed> {
        let replica = self.replica()?;
        self.last.counter = self.following(self.last.counter)?;
        self.last.hlc = self.following(self.last.hlc)?;
        let (counter, hlc) = (self.last.counter, Hlc::from_bits(self.last.hlc));
        if counter == 0 { Err(Malformed) } else { Ok((Dot { replica, counter }, hlc)) }
    }

    fn value(&mut self, typed: bool) -> Result<(&'a str, &'a [u8]), Malformed> {
        let content_type = if typed { self.text()? } else { "" };
        let length = self.count()?;
        Ok((content_type, bytes(&mut self.rest, length)?))
    }

    fn owner(&mut self, flags: u8) -> Result<Owner, Malformed> {
        let replica = match self.number()? {
            0 => None,
            number => Some(self.replica_at(number - 1)?),
        };
        let token = self.number()?;
        let dot = self.dot()?;
        let since = if flags & REPEATED == 0 { dot } else { self.dot()? };
        Ok(Owner { replica, token, since, dot, confirmed: flags & CONFIRMED != 0 })
    }

    fn dot(&mut self) -> Result<Dot, Malformed> {
        let dot = Dot { replica: self.replica()?, counter: self.number()? };
        if dot.counter == 0 { Err(Malformed) } else { Ok(dot) }
    }

    fn replica(&mut self) -> Result<ReplicaId, Malformed> {
        let at = self.number()?;
        self.replica_at(at)
    }

    fn replica_at(&mut self, at: u64) -> Result<ReplicaId, Malformed> {
        let at = usize::try_from(at).map_err(|_| Malformed)?;
        if at == self.replicas.len() {
            let (bits, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
            self.rest = rest;
            self.replicas.push(ReplicaId::new(u64::from_le_bytes(*bits)).ok_or(Malformed)?);
        }
        self.replicas.get(at).copied().ok_or(Malformed)
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        let at = self.count_of_any()?;
        if at == self.texts.len() {
            let length = self.count()?;
            let text = bytes(&mut self.rest, length)?;
            self.texts.push(std::str::from_utf8(text).map_err(|_| Malformed)?);
        }
        let text = self.texts.get(at).copied().ok_or(Malformed)?;
        // It may be copied for each version that has it.
        self.repeated = self.repeated.saturating_add(text.len());
        if self.repeated > MAX_REPEATED_BYTES { Err(Malformed) } else { Ok(text) }
    }

    fn add_parts(&mut self, count: usize) -> Result<(), Malformed> {
        self.parts = self.parts.saturating_add(count);
        if self.parts > MAX_PARTS { Err(Malformed) } else { Ok(()) }
    }

    fn following(&mut self, before: u64) -> Result<u64, Malformed> {
        Ok(before.wrapping_add(unzigzag(self.number()?).cast_unsigned()))
    }

    /// A number of things that take a byte each at least.
    fn count(&mut self) -> Result<usize, Malformed> {
        let count = self.count_of_any()?;
        if count > self.rest.len() { Err(Malformed) } else { Ok(count) }
    }

    fn count_of_any(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.number()?).map_err(|_| Malformed)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            // The tenth byte has one bit left.
            if shift == 63 && byte > 1 {
                return Err(Malformed);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }
}

fn bytes<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (bytes, after) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = after;
    Ok(bytes)
}

fn part<T>(all: &[T], [start, end]: [u32; 2]) -> &[T] {
    &all[start as usize..end as usize]
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}
