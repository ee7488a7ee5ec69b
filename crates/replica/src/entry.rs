//! Entries and the one join rule.

use bytes::Bytes;

use crate::mutant::{Mutant, active};
use crate::{Dot, Hlc, ReplicaId, VersionVector};

/// What a client stored: bytes and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The media type that the client gave; may be empty.
    pub content_type: Box<str>,
    /// The bytes, unchanged.
    pub body: Bytes,
}

/// One write that is still alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The write's name.
    pub dot: Dot,
    /// When it was made.
    pub hlc: Hlc,
    /// Who made it; the dot's replica unless the write was issued again by another.
    pub writer: ReplicaId,
    /// What was written.
    pub value: Value,
}

/// One key: its versions (usually one; concurrent writes stay as siblings; none is a tombstone) and the
/// dots that they have superseded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub(crate) versions: Vec<Version>,
    pub(crate) context: VersionVector,
}

// === impl Value ===

impl Value {
    /// Bytes of memory that the client's data takes.
    pub fn size(&self) -> usize {
        self.body.len() + self.content_type.len()
    }
}

// === impl Version ===

impl Version {
    /// The order in which concurrent versions win reads.
    fn rank(&self) -> (Hlc, ReplicaId, Dot) {
        (self.hlc, self.writer, self.dot)
    }
}

// === impl Entry ===

impl Entry {
    /// An entry from its parts; versions are put in the order in which they win.
    pub fn new(mut versions: Vec<Version>, context: VersionVector) -> Self {
        sort(&mut versions);
        Self { versions, context }
    }

    /// The versions, the one that wins reads first.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// The dots that were superseded.
    pub fn context(&self) -> &VersionVector {
        &self.context
    }

    /// The client's bytes in all versions.
    pub fn size(&self) -> usize {
        self.versions.iter().map(|version| version.value.size()).sum()
    }

    /// Replaces all that is observed by one new version.
    pub(crate) fn put(&mut self, version: Version) {
        self.supersede_observed();
        if active(Mutant::PutDropsContext) {
            self.context = VersionVector::new();
        }
        self.versions.push(version);
    }

    /// Replaces all that is observed by nothing. The context takes the delete's own dot too: without it, a relay
    /// that has seen the delete but not what it deleted could bring the key back.
    pub(crate) fn delete(&mut self, dot: Dot) {
        self.supersede_observed();
        if active(Mutant::DeleteDropsContext) {
            self.context = VersionVector::new();
        }
        if !active(Mutant::DeleteWithoutOwnDot) {
            self.context.raise(dot.replica, dot.counter);
        }
    }

    /// The join rule. `covers` says which dots the local replica has seen; `absent` is, in a full-state join, the
    /// clock of the sender: what it covers and does not send was deleted.
    ///
    /// Idempotent, commutative and associative in what it keeps, for any split of a transfer.
    pub(crate) fn join(&mut self, other: Self, covers: &VersionVector, absent: Option<&VersionVector>) {
        let Self { versions: theirs, context } = other;
        self.versions.retain(|mine| {
            let sent = theirs.iter().any(|their| their.dot == mine.dot);
            let deleted = context.covers(mine.dot) || absent.is_some_and(|clock| clock.covers(mine.dot));
            sent || !deleted
        });
        for their in theirs {
            let held = self.versions.iter().any(|mine| mine.dot == their.dot);
            let covered = covers.covers(their.dot) && !active(Mutant::JoinPastClock);
            let superseded = self.context.covers(their.dot) && !active(Mutant::JoinPastContext);
            if !held && !covered && !superseded {
                self.versions.push(their);
            }
        }
        sort(&mut self.versions);
        self.context.join(&context);
    }

    /// Whether nothing is left to remember.
    pub(crate) fn is_void(&self) -> bool {
        self.versions.is_empty() && self.context.is_empty()
    }

    /// All dots of the entry, of its versions and of its context.
    pub(crate) fn dots(&self) -> impl Iterator<Item = Dot> + '_ {
        let superseded = self.context.iter().map(|(replica, counter)| Dot { replica, counter });
        self.versions.iter().map(|version| version.dot).chain(superseded)
    }

    fn supersede_observed(&mut self) {
        for version in self.versions.drain(..) {
            self.context.raise(version.dot.replica, version.dot.counter);
        }
    }
}

fn sort(versions: &mut [Version]) {
    versions.sort_unstable_by_key(|version| std::cmp::Reverse(version.rank()));
}
