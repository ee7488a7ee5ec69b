//! Packs entries one after the other.

use std::collections::BTreeMap;

use crate::key::KeyRef;
use crate::mutant::{Mutant, active};
use crate::packed::unpacker::{MAX_PARTS, MAX_REPEATED_BYTES};
use crate::packed::{
    CONFIRMED, HAS_ADDED, HAS_CONTEXT, HAS_DEADLINE, HAS_OWNER, HAS_SLOTS, HAS_TYPE, HAS_VALUE, Last, OTHER_WRITER,
    Packed, REPEATED, VERSIONS,
};
use crate::version::Plain;
use crate::{Dot, Entry, Hlc, Key, Owner, ReplicaId, Version, VersionVector};

/// Packs items one after the other.
#[derive(Default)]
pub struct Packer {
    out: Vec<u8>,
    key: Vec<u8>,
    /// The key that is being packed.
    next_key: Vec<u8>,
    last: Last,
    /// The number of each replica that was named.
    replicas: BTreeMap<ReplicaId, u64>,
    last_replica: Option<(ReplicaId, u64)>,
    /// The same of texts.
    texts: BTreeMap<Box<[u8]>, u64>,
    /// As whoever unpacks it counts.
    repeated: usize,
    parts: usize,
}

// === impl Packer ===

impl Packer {
    /// With room for so many bytes.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Whether it has so many bytes, or half of anything else that whoever unpacks it takes at most: one entry more is
    /// taken too.
    pub(crate) fn is_full(&self, bytes: usize) -> bool {
        let unpacks_to_much = self.repeated >= MAX_REPEATED_BYTES / 2 || self.parts >= MAX_PARTS / 2;
        self.out.len() >= bytes || (unpacks_to_much && !active(Mutant::ChunkUnpacksToMore))
    }

    /// Adds an item.
    pub fn add(&mut self, key: &Key, slots: &[u64], entry: &Entry) {
        self.begin(key.borrow(), slots, entry.context(), entry.versions().len());
        entry.versions().iter().for_each(|version| self.version(version));
    }

    /// Adds an entry with one plain version.
    pub(crate) fn add_plain(&mut self, key: KeyRef<'_>, context: &VersionVector, version: Plain<'_>) {
        self.begin(key, &[], context, 1);
        let Plain { dot, hlc, content_type, body } = version;
        self.out.push(HAS_VALUE | flag(HAS_TYPE, !content_type.is_empty()));
        self.birth(dot, hlc);
        self.value(content_type, body);
    }

    /// All that was added.
    pub fn finish(self) -> Packed {
        Packed(self.out.into())
    }

    fn begin(&mut self, key: KeyRef<'_>, slots: &[u64], context: &VersionVector, versions: usize) {
        self.parts += 1 + versions + slots.len() + context.len();
        let count = u8::try_from(versions).unwrap_or(VERSIONS).min(VERSIONS);
        self.out.push(count | flag(HAS_SLOTS, !slots.is_empty()) | flag(HAS_CONTEXT, !context.is_empty()));
        if count == VERSIONS {
            self.number(versions as u64);
        }
        self.key(key);
        if !slots.is_empty() {
            self.number(slots.len() as u64);
        }
        for slot in slots {
            let before = std::mem::replace(&mut self.last.slot, *slot);
            self.difference(before, *slot);
        }
        if !context.is_empty() {
            self.number(context.len() as u64);
        }
        for (replica, counter) in context.iter() {
            self.replica(replica);
            self.number(counter);
        }
    }

    fn key(&mut self, key: KeyRef<'_>) {
        self.next_key.clear();
        key.compose(&mut self.next_key);
        let shared = self.key.iter().zip(&self.next_key).take_while(|(before, now)| before == now).count();
        self.repeated += shared;
        self.number(shared as u64);
        self.number((self.next_key.len() - shared) as u64);
        self.out.extend_from_slice(&self.next_key[shared..]);
        std::mem::swap(&mut self.key, &mut self.next_key);
    }

    fn version(&mut self, version: &Version) {
        let Version { dot, hlc, writer, value, added, owner, expires_at } = version;
        let typed = value.as_ref().is_some_and(|value| !value.content_type.is_empty());
        self.out.push(
            flag(OTHER_WRITER, version.is_issued_again())
                | flag(HAS_VALUE, value.is_some())
                | flag(HAS_TYPE, typed)
                | flag(HAS_ADDED, *added != 0)
                | flag(HAS_OWNER, owner.is_some())
                | flag(CONFIRMED, owner.as_ref().is_some_and(|owner| owner.confirmed))
                | flag(REPEATED, owner.as_ref().is_some_and(|owner| owner.is_repeated()))
                | flag(HAS_DEADLINE, expires_at.is_some()),
        );
        self.birth(*dot, *hlc);
        if version.is_issued_again() {
            self.replica(*writer);
        }
        if let Some(value) = value {
            self.value(value.content_type.as_bytes(), &value.body);
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

    /// Who made a version, and when.
    fn birth(&mut self, dot: Dot, hlc: Hlc) {
        self.replica(dot.replica);
        let before = std::mem::replace(&mut self.last.counter, dot.counter);
        self.difference(before, dot.counter);
        let before = std::mem::replace(&mut self.last.hlc, hlc.bits());
        self.difference(before, hlc.bits());
    }

    fn value(&mut self, content_type: &[u8], body: &[u8]) {
        if !content_type.is_empty() {
            self.text(content_type);
        }
        self.number(body.len() as u64);
        self.out.extend_from_slice(body);
    }

    fn owner(&mut self, owner: &Owner) {
        match owner.replica {
            None => self.number(0),
            Some(replica) => {
                let (at, new) = self.index(replica);
                self.number(at + 1);
                self.new_replica(new, replica);
            }
        }
        self.number(owner.token);
        self.replica(owner.dot.replica);
        self.number(owner.dot.counter);
        if owner.is_repeated() {
            self.replica(owner.since.replica);
            self.number(owner.since.counter);
        }
    }

    fn replica(&mut self, replica: ReplicaId) {
        let (at, new) = self.index(replica);
        self.number(at);
        self.new_replica(new, replica);
    }

    /// The number of a replica, and whether it is new.
    fn index(&mut self, replica: ReplicaId) -> (u64, bool) {
        // Most dots are of the replica of the one before.
        if let Some((_, at)) = self.last_replica.filter(|(last, _)| *last == replica) {
            return (at, false);
        }
        let at = self.replicas.get(&replica).copied();
        self.last_replica = at.map(|at| (replica, at));
        (at.unwrap_or(self.replicas.len() as u64), at.is_none())
    }

    fn new_replica(&mut self, new: bool, replica: ReplicaId) {
        if new {
            self.replicas.insert(replica, self.replicas.len() as u64);
            self.out.extend_from_slice(&replica.bits().to_le_bytes());
        }
    }

    fn text(&mut self, text: &[u8]) {
        self.repeated += text.len();
        let at = self.texts.get(text).copied();
        self.number(at.unwrap_or(self.texts.len() as u64));
        if at.is_none() {
            self.texts.insert(text.into(), self.texts.len() as u64);
            self.number(text.len() as u64);
            self.out.extend_from_slice(text);
        }
    }

    fn difference(&mut self, before: u64, now: u64) {
        self.number(zigzag(now.wrapping_sub(before).cast_signed()));
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }
}

const fn flag(flag: u8, holds: bool) -> u8 {
    if holds { flag } else { 0 }
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}
