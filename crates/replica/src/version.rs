//! One write that is still alive, and who owns what it stands for.

use bytes::Bytes;

use crate::mutant::{Mutant, active};
use crate::{Dot, Hlc, ReplicaId};

/// What a client stored: bytes and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The media type that the client gave; may be empty.
    pub content_type: Box<str>,
    /// The bytes, unchanged.
    pub body: Bytes,
}

/// One write that is still alive. One replica has at most one per key, but for writes that it issued again for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The write's name.
    pub dot: Dot,
    /// When its value was put; zero for a default, which loses to any real value.
    pub hlc: Hlc,
    /// Who made it: the dot's replica, unless the write was issued again by another as it was.
    pub writer: ReplicaId,
    /// What was put; `None` if the replica only added to a counter.
    pub value: Option<Value>,
    /// What the replica has added to the counter since.
    pub added: i64,
    /// Where the thing that the key stands for lives.
    pub owner: Option<Box<Owner>>,
    /// When every replica drops it, in Unix milliseconds.
    pub expires_at: Option<u64>,
}

/// What most versions are, where it lies: a value that its replica put, and nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain<'a> {
    pub(crate) dot: Dot,
    pub(crate) hlc: Hlc,
    pub(crate) content_type: &'a [u8],
    pub(crate) body: &'a [u8],
}

/// A register inside a version: of two copies of one version the one with the greater register is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The owner; `None` after a release.
    pub replica: Option<ReplicaId>,
    /// Only grows along the owners of a key: whoever shows an older one is refused.
    pub token: u64,
    /// Who gave it: a write with a log slot, but no version.
    pub since: Dot,
    /// Who has last said it, by confirming it or by saying it again: another such write, or the same.
    pub dot: Dot,
    /// The owner's app has said that it runs what the key stands for.
    pub confirmed: bool,
}

// === impl Value ===

impl Value {
    /// Bytes of memory that the client's data takes.
    pub fn size(&self) -> usize {
        self.body.len() + self.content_type.len()
    }

    /// The integer that the bytes spell in decimal, if they do.
    pub fn integer(&self) -> Option<i64> {
        let text = std::str::from_utf8(&self.body).ok()?;
        let number: i64 = text.parse().ok()?;
        // Only the spelling that a counter would print: not "+1", "-0" or "007".
        (number.to_string() == text).then_some(number)
    }
}

// === impl Version ===

impl Version {
    /// A value that was put under a dot.
    pub(crate) const fn put(dot: Dot, hlc: Hlc, value: Value, expires_at: Option<u64>) -> Self {
        Self { dot, hlc, writer: dot.replica, value: Some(value), added: 0, owner: None, expires_at }
    }

    /// Whether another than its writer has issued it again.
    pub fn is_issued_again(&self) -> bool {
        self.writer != self.dot.replica
    }

    /// Whether it only adds to a counter.
    pub const fn is_contribution(&self) -> bool {
        self.value.is_none()
    }

    /// Whether it is a value that its replica put, and nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        let Self { value, added, owner, expires_at, .. } = self;
        value.is_some() && !self.is_issued_again() && *added == 0 && owner.is_none() && expires_at.is_none()
    }

    /// What it is, if it is a value that its replica put, and nothing else.
    pub(crate) fn plain(&self) -> Option<Plain<'_>> {
        let value = self.value.as_ref().filter(|_| self.is_plain())?;
        let (content_type, body) = (value.content_type.as_bytes(), value.body.as_ref());
        Some(Plain { dot: self.dot, hlc: self.hlc, content_type, body })
    }

    /// Whether its time is over.
    pub fn has_expired(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// The client's bytes in it.
    pub fn size(&self) -> usize {
        self.value.as_ref().map_or(0, Value::size)
    }

    /// All dots in it: its own and those of its owner.
    pub fn dots(&self) -> impl Iterator<Item = Dot> + use<> {
        let owner = self.owner.as_deref();
        let since = owner.filter(|owner| owner.is_repeated()).map(|owner| owner.since);
        [Some(self.dot), owner.map(|owner| owner.dot), since].into_iter().flatten()
    }

    /// The order in which concurrent versions win reads: values before contributions, then the latest.
    pub(crate) fn rank(&self) -> (bool, Hlc, ReplicaId, Dot) {
        if active(Mutant::WinnerByDot) {
            return (self.value.is_some(), Hlc::default(), self.dot.replica, self.dot);
        }
        (self.value.is_some(), self.hlc, self.writer, self.dot)
    }

    /// Takes the greater register of two copies.
    pub(crate) fn take_owner(&mut self, other: Option<Box<Owner>>) {
        let rank = |owner: &Option<Box<Owner>>| owner.as_ref().map(|owner| owner.rank());
        if rank(&other) > rank(&self.owner) {
            self.owner = other;
        }
    }
}

// === impl Plain ===

impl Plain<'_> {
    /// The version, with a copy of its value.
    pub(crate) fn to_version(self) -> Version {
        Version::put(self.dot, self.hlc, self.to_value(), None)
    }

    /// A copy of its value.
    pub(crate) fn to_value(self) -> Value {
        let content_type = std::str::from_utf8(self.content_type).unwrap_or_default().into();
        Value { content_type, body: Bytes::copy_from_slice(self.body) }
    }

    /// The client's bytes in it.
    pub(crate) const fn size(&self) -> usize {
        self.body.len() + self.content_type.len()
    }
}

// === impl Owner ===

impl Owner {
    /// One that a replica gives to itself, or to nobody.
    pub(crate) const fn given(replica: Option<ReplicaId>, token: u64, dot: Dot) -> Self {
        Self { replica, token, since: dot, dot, confirmed: false }
    }

    /// Whether another write than that which gave it has said it since.
    pub(crate) fn is_repeated(&self) -> bool {
        self.since != self.dot
    }

    /// Along the owners of a key it grows; who has confirmed comes after who has not.
    pub(crate) const fn rank(&self) -> (u64, Option<ReplicaId>, bool, Dot) {
        (self.token, self.replica, self.confirmed, self.dot)
    }

    /// Whether this ownership, or what is known of it, comes before another, whoever says it.
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        (self.token, self.replica, self.confirmed) < (other.token, other.replica, other.confirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seed 24033: a member with a higher id has said the ownership again, and the owner confirms: all must keep that.
    #[test]
    fn who_has_confirmed_comes_after_whoever_says_the_same_ownership_again() {
        let id = |bits| ReplicaId::new(bits).expect("not zero");
        let given = Owner::given(Some(id(1)), 5, Dot { replica: id(1), counter: 1 });
        let again = Owner { dot: Dot { replica: id(9), counter: 1 }, ..given };
        let confirmed = Owner { dot: Dot { replica: id(1), counter: 2 }, confirmed: true, ..given };
        let next = Owner { replica: None, token: 6, ..given };
        let ranks = [given, again, confirmed, next].map(|owner| owner.rank());
        assert!(ranks.is_sorted());
        assert!(!given.is_before(&again) && given.is_before(&confirmed) && confirmed.is_before(&next));
    }
}
