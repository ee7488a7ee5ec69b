//! The sum that tells whether two replicas hold the same.

use std::ops::{AddAssign, SubAssign};

use xxhash_rust::xxh3::Xxh3Default;

use crate::{Entry, Key, Version};

/// An order-independent 128-bit sum over versions: equal for equal sets, whatever way they came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u128);

// === impl Sum ===

impl Sum {
    /// For the wire.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// From the wire.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    pub(super) fn replace(&mut self, key: &Key, before: &Entry, after: &Entry) {
        // Most changes leave siblings as they were; those cancel out without being hashed.
        let lasting = |entry: &Entry, other: &Entry| -> Vec<Self> {
            let stays = |version: &&Version| version.expires_at.is_none() && !other.versions().contains(version);
            entry.versions().iter().filter(stays).map(|version| Self::of(key, version)).collect()
        };
        for sum in lasting(before, after) {
            *self -= sum;
        }
        for sum in lasting(after, before) {
            *self += sum;
        }
    }

    fn of(key: &Key, version: &Version) -> Self {
        let mut hash = Xxh3Default::new();
        let mut number = |bits: u64| hash.update(&bits.to_le_bytes());
        number(key.as_bytes().len() as u64);
        number(version.dot.replica.bits());
        number(version.dot.counter);
        number(version.hlc.bits());
        number(version.writer.bits());
        number(version.added as u64);
        if let Some(owner) = &version.owner {
            number(owner.token);
            number(owner.dot.replica.bits());
            number(owner.dot.counter);
        }
        hash.update(key.as_bytes());
        if let Some(value) = &version.value {
            hash.update(&(value.content_type.len() as u64).to_le_bytes());
            hash.update(value.content_type.as_bytes());
            hash.update(&value.body);
        }
        Self(hash.digest128())
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl SubAssign for Sum {
    fn sub_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
    }
}
