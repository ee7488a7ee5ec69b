//! The sum that tells whether two replicas hold the same.

use std::ops::{AddAssign, SubAssign};

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::version::Plain;
use crate::{Dot, Entry, Key, Owner, ReplicaId, Version};

/// The hash of no bytes: most values have no content type.
const NOTHING: u128 = 0x99aa_06d3_0147_98d8_6001_c324_468d_497f;

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
        let counts =
            |version: &&Version, other: &Entry| version.expires_at.is_none() && !other.versions().contains(version);
        for version in before.versions().iter().filter(|version| counts(version, after)) {
            *self -= Self::of(key, version);
        }
        for version in after.versions().iter().filter(|version| counts(version, before)) {
            *self += Self::of(key, version);
        }
    }

    /// One version with a value and nothing else takes the place of another.
    pub(super) fn replace_plain(&mut self, key: &[u8], before: &Plain<'_>, after: &Plain<'_>) {
        let key = xxh3_128(key);
        *self -= Self::of_hashed(key, before);
        *self += Self::of_hashed(key, after);
    }

    fn of(key: &Key, version: &Version) -> Self {
        let register = version.owner.as_deref().map_or(0, of_register);
        let value = version.value.as_ref().map(|value| (value.content_type.as_bytes(), value.body.as_ref()));
        let numbers = [version.hlc.bits(), version.writer.bits(), version.added as u64];
        Self::of_parts(xxh3_128(key.as_bytes()), version.dot, numbers, register, value)
    }

    /// Of a version with a value and nothing else.
    pub(super) fn of_plain(key: &[u8], plain: &Plain<'_>) -> Self {
        Self::of_hashed(xxh3_128(key), plain)
    }

    fn of_hashed(key: u128, plain: &Plain<'_>) -> Self {
        let numbers = [plain.hlc.bits(), plain.dot.replica.bits(), 0];
        Self::of_parts(key, plain.dot, numbers, 0, Some((plain.content_type, plain.body)))
    }

    /// A hash of hashes: each of the parts is hashed where it lies.
    fn of_parts(
        key: u128,
        dot: Dot,
        [hlc, writer, added]: [u64; 3],
        register: u64,
        value: Option<(&[u8], &[u8])>,
    ) -> Self {
        let (content_type, body) = value.unwrap_or_default();
        let [dot_by, dot_at] = [dot.replica.bits(), dot.counter];
        let has_value = u64::from(value.is_some());
        let numbers = [dot_by, dot_at, hlc, writer, added, register, has_value];
        let parts = [key, if content_type.is_empty() { NOTHING } else { xxh3_128(content_type) }, xxh3_128(body)];
        let mut bytes = [0; 8 * 7 + 16 * 3];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        for (place, part) in bytes[8 * 7..].chunks_exact_mut(16).zip(parts) {
            place.copy_from_slice(&part.to_le_bytes());
        }
        Self(xxh3_128(&bytes))
    }
}

fn of_register(owner: &Owner) -> u64 {
    let who = owner.replica.map_or(0, ReplicaId::bits);
    let [since, dot] = [owner.since, owner.dot].map(|dot| [dot.replica.bits(), dot.counter]);
    let numbers = [owner.token, who, since[0], since[1], dot[0], dot[1], owner.confirmed.into()];
    xxh3_64(numbers.map(u64::to_le_bytes).as_flattened())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nothing_is_what_it_is_said_to_be() {
        assert_eq!(NOTHING, xxh3_128(&[]));
    }

    /// Who confirms an ownership changes nothing else of it.
    #[test]
    fn registers_that_differ_in_anything_have_other_hashes() {
        let id = |bits| ReplicaId::new(bits).expect("not zero");
        let dot = Dot { replica: id(1), counter: 1 };
        let owner = Owner::given(Some(id(1)), 5, dot);
        let others = [
            Owner { confirmed: true, ..owner },
            Owner { replica: None, ..owner },
            Owner { token: 6, ..owner },
            Owner { dot: Dot { counter: 2, ..dot }, ..owner },
            Owner { since: Dot { counter: 2, ..dot }, ..owner },
        ];
        assert!(others.iter().all(|other| of_register(other) != of_register(&owner)));
    }
}
