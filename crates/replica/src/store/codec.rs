//! Entries as few bytes, for the memory of one process.
//!
//! ```text
//! entry:   [superseded dot] x n [version] x m         n and m in one byte, the shape
//! dot:     [number of the replica: 13 bits, bytes of the counter: 3 bits][the replica, if it has no number: 8][counter: 1-8]
//! version: [what it has: 1][dot][hlc: 8][writer: 8]?[added: 8]?[expires at: 8]?[owner: 16, a dot or two]?[value]?
//! value:   ([length: 1][content type])?[length: 2][body]
//! ```

use bytes::Bytes;

use crate::store::name::{Names, UNNAMED};
use crate::version::Plain;
use crate::{Dot, Entry, Hlc, Owner, ReplicaId, Value, Version, VersionVector};

/// The shape of an entry without versions and context.
pub(super) const VOID: u8 = 0;

/// The shape that no encoded entry has.
pub(super) const ODD: u8 = u8::MAX;

/// As many versions, or superseded dots, are encoded.
const MAX_PARTS: usize = 14;

/// Longer bodies stay where they are; below, a copy costs less than a wait for one more place in memory.
const MAX_BODY_BYTES: usize = 1024;

/// Of all values together; with all else that fits a block.
const MAX_VALUE_BYTES: usize = 1280;

/// A dot with a counter below four thousand million.
const USUAL_DOT_BYTES: usize = 6;

const HAS_VALUE: u8 = 1;
const HAS_TYPE: u8 = 1 << 1;
const HAS_WRITER: u8 = 1 << 2;
const HAS_ADDED: u8 = 1 << 3;
const HAS_DEADLINE: u8 = 1 << 4;
const HAS_OWNER: u8 = 1 << 5;
const CONFIRMED: u8 = 1 << 6;
const REPEATED: u8 = 1 << 7;

/// The replicas that entries name.
pub(super) type Replicas = Names<ReplicaId>;

/// Takes an encoded entry apart. What it reads was written by [`encode`].
struct Reader<'a> {
    bytes: &'a [u8],
}

/// A dot as it is stored.
#[derive(Clone, Copy, Debug)]
struct StoredDot {
    number: u16,
    /// If it has no number.
    id: u64,
    counter: u64,
}

/// Appends an entry and says its shape; `None` if it is too large, or has too many parts.
pub(super) fn encode(entry: &Entry, names: &mut Replicas, out: &mut Vec<u8>) -> Option<u8> {
    let parts = entry.versions().len().max(entry.context().len());
    let value = |version: &Version| version.value.as_ref().map_or((0, 0), |it| (it.body.len(), it.content_type.len()));
    let values = entry.versions().iter().map(value);
    let fits = |(body, content_type)| body <= MAX_BODY_BYTES && content_type <= usize::from(u8::MAX);
    if parts > MAX_PARTS || entry.size() > MAX_VALUE_BYTES || !values.into_iter().all(fits) {
        return None;
    }
    for (replica, counter) in entry.context().iter() {
        write_dot(Dot { replica, counter }, names, out);
    }
    for version in entry.versions() {
        write_version(version, names, out);
    }
    Some((entry.context().len() << 4 | entry.versions().len()) as u8)
}

/// The shape of an entry with one version that has superseded nothing.
pub(super) const ONE: u8 = 1;

/// Whether an entry with this version is encoded, if it has superseded few others.
pub(super) const fn fits(plain: &Plain<'_>) -> bool {
    plain.body.len() <= MAX_BODY_BYTES && plain.content_type.len() <= u8::MAX as usize
}

/// Appends such an entry, which fits, up to its body.
pub(super) fn encode_plain(plain: &Plain<'_>, names: &mut Replicas, out: &mut Vec<u8>) {
    let typed = !plain.content_type.is_empty();
    out.push(if typed { HAS_VALUE | HAS_TYPE } else { HAS_VALUE });
    write_dot(plain.dot, names, out);
    out.extend_from_slice(&plain.hlc.bits().to_le_bytes());
    if typed {
        out.push(plain.content_type.len() as u8);
        out.extend_from_slice(plain.content_type);
    }
    out.extend_from_slice(&(plain.body.len() as u16).to_le_bytes());
}

/// Whether what an entry has superseded is encoded.
pub(super) const fn fits_context(context: &VersionVector) -> bool {
    context.len() <= MAX_PARTS
}

/// Appends an entry with one version, which fits, and what it has superseded, up to its body. Says the shape.
pub(super) fn encode_plain_after(
    context: &VersionVector,
    plain: &Plain<'_>,
    names: &mut Replicas,
    out: &mut Vec<u8>,
) -> u8 {
    context.dots().for_each(|dot| write_dot(dot, names, out));
    encode_plain(plain, names, out);
    (context.len() << 4) as u8 | ONE
}

/// The room to give to so many bytes: an entry without context will have one as soon as it is written again, until
/// that is stable, and need not move for it.
pub(super) const fn room(shape: u8, bytes: usize) -> usize {
    if contexts(shape) == 0 { bytes + USUAL_DOT_BYTES } else { bytes }
}

/// The entry of some bytes.
pub(super) fn decode(shape: u8, bytes: &[u8], names: &Replicas) -> Entry {
    let mut reader = Reader { bytes };
    let context = reader.context(shape, names);
    let versions = (0..versions(shape)).map(|_| reader.version(names)).collect();
    Entry { versions, context }
}

/// The only version, if the entry is plain, and what it has superseded.
pub(super) fn plain<'a>(shape: u8, bytes: &'a [u8], names: &Replicas) -> Option<(Plain<'a>, VersionVector)> {
    if shape == ODD || versions(shape) != 1 {
        return None;
    }
    let mut reader = Reader { bytes };
    let context = reader.context(shape, names);
    Some((reader.plain(names)?, context))
}

/// The only version, if the entry is plain.
pub(super) fn plain_version<'a>(shape: u8, bytes: &'a [u8], names: &Replicas) -> Option<Plain<'a>> {
    if shape == ODD || versions(shape) != 1 {
        return None;
    }
    let mut reader = Reader { bytes };
    for _ in 0..contexts(shape) {
        reader.dot();
    }
    reader.plain(names)
}

/// Calls for all dots of an entry.
pub(super) fn each_dot(shape: u8, bytes: &[u8], names: &Replicas, mut each: impl FnMut(Dot)) {
    let mut reader = Reader { bytes };
    for _ in 0..contexts(shape) {
        each(reader.dot().named(names));
    }
    for _ in 0..versions(shape) {
        reader.skip_version(|dot| each(dot.named(names)));
    }
}

/// Whether the entry has superseded anything.
pub(super) const fn has_context(shape: u8) -> bool {
    contexts(shape) > 0
}

/// Takes the context out of an encoded entry, in place. Says the shape that is left.
pub(super) fn clear_context(shape: u8, bytes: &mut [u8], names: &mut Replicas) -> u8 {
    let mut reader = Reader { bytes };
    for _ in 0..contexts(shape) {
        names.release(reader.dot().number);
    }
    let start = bytes.len() - reader.bytes.len();
    bytes.copy_within(start.., 0);
    versions(shape)
}

/// The entry of these bytes is no more.
pub(super) fn release(shape: u8, bytes: &[u8], names: &mut Replicas) {
    let mut reader = Reader { bytes };
    for _ in 0..contexts(shape) {
        names.release(reader.dot().number);
    }
    for _ in 0..versions(shape) {
        reader.skip_version(|dot| names.release(dot.number));
    }
}

// === impl StoredDot ===

impl StoredDot {
    fn named(self, names: &Replicas) -> Dot {
        let named = if self.number == UNNAMED { ReplicaId::new(self.id) } else { names.get(self.number).copied() };
        let Some(replica) = named else { unreachable!("names are kept while they are in use") };
        Dot { replica, counter: self.counter }
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn slice(&mut self, len: usize) -> &'a [u8] {
        let (slice, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        slice
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let Some((array, rest)) = self.bytes.split_first_chunk() else { unreachable!("an entry is whole") };
        self.bytes = rest;
        *array
    }

    fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    fn dot(&mut self) -> StoredDot {
        let head = u16::from_le_bytes(self.array());
        let number = head & UNNAMED;
        let id = if number == UNNAMED { self.number() } else { 0 };
        let mut counter = [0; 8];
        let bytes = self.slice(usize::from(head >> 13) + 1);
        counter[..bytes.len()].copy_from_slice(bytes);
        StoredDot { number, id, counter: u64::from_le_bytes(counter) }
    }

    fn context(&mut self, shape: u8, names: &Replicas) -> VersionVector {
        let dots = (0..contexts(shape)).map(|_| self.dot().named(names));
        dots.map(|dot| (dot.replica, dot.counter)).collect()
    }

    fn plain(&mut self, names: &Replicas) -> Option<Plain<'a>> {
        let [has] = self.array();
        if has & !HAS_TYPE != HAS_VALUE {
            return None;
        }
        let (dot, hlc) = (self.dot().named(names), Hlc::from_bits(self.number()));
        let (content_type, body) = self.value_parts(has);
        Some(Plain { dot, hlc, content_type, body })
    }

    fn version(&mut self, names: &Replicas) -> Version {
        let [has] = self.array();
        let dot = self.dot().named(names);
        let hlc = Hlc::from_bits(self.number());
        let writer = if has & HAS_WRITER == 0 { Some(dot.replica) } else { ReplicaId::new(self.number()) };
        let added = if has & HAS_ADDED == 0 { 0 } else { self.number() as i64 };
        let expires_at = (has & HAS_DEADLINE != 0).then(|| self.number());
        let owner = (has & HAS_OWNER != 0).then(|| {
            let (replica, token, dot) = (ReplicaId::new(self.number()), self.number(), self.dot().named(names));
            let since = if has & REPEATED == 0 { dot } else { self.dot().named(names) };
            Box::new(Owner { replica, token, since, dot, confirmed: has & CONFIRMED != 0 })
        });
        let value = (has & HAS_VALUE != 0).then(|| self.value(has));
        Version { dot, hlc, writer: writer.unwrap_or(dot.replica), value, added, owner, expires_at }
    }

    fn value(&mut self, has: u8) -> Value {
        let (content_type, body) = self.value_parts(has);
        let content_type = std::str::from_utf8(content_type).unwrap_or_default().into();
        Value { content_type, body: Bytes::copy_from_slice(body) }
    }

    fn value_parts(&mut self, has: u8) -> (&'a [u8], &'a [u8]) {
        let content_type = match has & HAS_TYPE {
            0 => [].as_slice(),
            _ => {
                let [len] = self.array();
                self.slice(usize::from(len))
            }
        };
        let len = u16::from_le_bytes(self.array());
        (content_type, self.slice(usize::from(len)))
    }

    fn skip_version(&mut self, mut dot: impl FnMut(StoredDot)) {
        let [has] = self.array();
        dot(self.dot());
        let numbers = [HAS_WRITER, HAS_ADDED, HAS_DEADLINE].into_iter().filter(|what| has & what != 0).count();
        self.slice(8 + 8 * numbers);
        if has & HAS_OWNER != 0 {
            self.slice(16);
            dot(self.dot());
        }
        if has & REPEATED != 0 {
            dot(self.dot());
        }
        if has & HAS_VALUE != 0 {
            self.value_parts(has);
        }
    }
}

const fn contexts(shape: u8) -> u8 {
    shape >> 4
}

const fn versions(shape: u8) -> u8 {
    shape & 0xF
}

fn write_dot(dot: Dot, names: &mut Replicas, out: &mut Vec<u8>) {
    let number = names.acquire(&dot.replica);
    let bytes = (8 - dot.counter.leading_zeros() as usize / 8).max(1);
    out.extend_from_slice(&(number | (bytes as u16 - 1) << 13).to_le_bytes());
    if number == UNNAMED {
        out.extend_from_slice(&dot.replica.bits().to_le_bytes());
    }
    out.extend_from_slice(&dot.counter.to_le_bytes()[..bytes]);
}

fn write_version(version: &Version, names: &mut Replicas, out: &mut Vec<u8>) {
    let when = |holds: bool, what: u8| if holds { what } else { 0 };
    let has_type = version.value.as_ref().is_some_and(|value| !value.content_type.is_empty());
    let has = when(version.value.is_some(), HAS_VALUE)
        | when(has_type, HAS_TYPE)
        | when(version.is_issued_again(), HAS_WRITER)
        | when(version.added != 0, HAS_ADDED)
        | when(version.expires_at.is_some(), HAS_DEADLINE)
        | when(version.owner.is_some(), HAS_OWNER)
        | when(version.owner.as_ref().is_some_and(|owner| owner.confirmed), CONFIRMED)
        | when(version.owner.as_ref().is_some_and(|owner| owner.is_repeated()), REPEATED);
    out.push(has);
    write_dot(version.dot, names, out);
    out.extend_from_slice(&version.hlc.bits().to_le_bytes());
    let numbers = [
        (HAS_WRITER, version.writer.bits()),
        (HAS_ADDED, version.added as u64),
        (HAS_DEADLINE, version.expires_at.unwrap_or_default()),
    ];
    for (_, number) in numbers.into_iter().filter(|(what, _)| has & what != 0) {
        out.extend_from_slice(&number.to_le_bytes());
    }
    if let Some(owner) = &version.owner {
        out.extend_from_slice(&owner.replica.map_or(0, ReplicaId::bits).to_le_bytes());
        out.extend_from_slice(&owner.token.to_le_bytes());
        write_dot(owner.dot, names, out);
        if owner.is_repeated() {
            write_dot(owner.since, names, out);
        }
    }
    if let Some(value) = &version.value {
        if has_type {
            out.push(value.content_type.len() as u8);
            out.extend_from_slice(value.content_type.as_bytes());
        }
        out.extend_from_slice(&(value.body.len() as u16).to_le_bytes());
        out.extend_from_slice(&value.body);
    }
}
