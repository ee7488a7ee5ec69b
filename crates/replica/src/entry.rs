//! Entries and the one join rule.

use crate::mutant::{Mutant, active};
use crate::{Dot, Owner, Tag, Value, Version, VersionVector};

/// One key: its versions (usually one; concurrent writes stay as siblings; none is a tombstone) and the
/// dots that they have superseded.
///
/// A context covers all lower counters of a replica too. That is right because what supersedes a replica's later write
/// to a key has seen, and supersedes, its earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub(crate) versions: Vec<Version>,
    pub(crate) context: VersionVector,
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
        self.versions.iter().map(Version::size).sum()
    }

    /// The greatest register among the versions.
    pub fn owner(&self) -> Option<&Owner> {
        let owners = self.versions.iter().filter_map(|version| version.owner.as_deref());
        owners.max_by_key(|owner| owner.rank())
    }

    /// Whether it shows an owner that an ownership, which has ended by its deadline, came after.
    pub(crate) fn shows_earlier(&self, owner: &Owner) -> bool {
        let confirms = |register: &Owner| register.since == owner.since && active(Mutant::ConfirmationLosesToPut);
        self.owner().is_some_and(|register| register.is_before(owner) && !confirms(register))
    }

    /// The counter's value: the integer that was put, and what each replica has added since. `None` if nothing was ever
    /// added, or if what was put is no integer. A sum beyond 64 bits stays at the end of the range.
    pub fn counter(&self) -> Option<i64> {
        if !self.is_counter() {
            return None;
        }
        let base = match self.versions.first().and_then(|winner| winner.value.as_ref()) {
            Some(value) => value.integer()?,
            None => 0,
        };
        let added: i128 = self.versions.iter().map(|version| i128::from(version.added)).sum();
        let bound = i128::from(i64::MIN)..=i128::from(i64::MAX);
        Some((i128::from(base) + added).clamp(*bound.start(), *bound.end()) as i64)
    }

    /// Whether anything was added since the value was put.
    pub fn is_counter(&self) -> bool {
        self.versions.iter().any(|version| version.is_contribution() || version.added != 0)
    }

    /// Replaces all that is observed by one new version.
    pub(crate) fn put(&mut self, version: Version) {
        self.supersede(|_| true);
        if active(Mutant::PutDropsContext) {
            self.context = VersionVector::new();
        }
        self.versions.push(version);
    }

    /// Adds a version beside those that are there.
    pub(crate) fn add(&mut self, version: Version) {
        self.versions.push(version);
        sort(&mut self.versions);
    }

    /// Replaces all that is observed by nothing. The context takes the delete's own dot too: without it, a relay
    /// that has seen the delete but not what it deleted could bring the key back.
    pub(crate) fn delete(&mut self, dot: Dot) {
        let gone = self.supersede(|_| true);
        self.end_ownership(&gone);
        if active(Mutant::DeleteDropsContext) {
            self.context = VersionVector::new();
        }
        if !active(Mutant::DeleteWithoutOwnDot) {
            self.context.raise(dot.replica, dot.counter);
        }
    }

    /// Moves some versions into the context and returns them.
    pub(crate) fn supersede(&mut self, which: impl Fn(&Version) -> bool) -> Vec<Version> {
        let gone = self.take_out(which);
        for version in &gone {
            self.context.raise(version.dot.replica, version.dot.counter);
        }
        gone
    }

    /// Takes some versions out and returns them, as if they had never been here.
    pub(crate) fn take_out(&mut self, which: impl Fn(&Version) -> bool) -> Vec<Version> {
        self.versions.extract_if(.., |version| which(version)).collect()
    }

    /// Drops what has expired, as a delete by everybody would. A version whose dot would cover an earlier one of the
    /// same replica that still lives waits for it.
    pub(crate) fn expire(&mut self, now: u64) {
        let versions = self.versions.clone();
        let shields = |dot: Dot| {
            let earlier = |other: &Version| other.dot.replica == dot.replica && other.dot.counter < dot.counter;
            versions.iter().any(|other| earlier(other) && !other.has_expired(now))
        };
        let context = self.context.clone();
        let gone = self.supersede(|version| version.has_expired(now) && !shields(version.dot));
        if self.versions.is_empty() {
            self.end_ownership(&gone);
        }
        if active(Mutant::ExpiryWithoutContext) {
            self.context = context;
        }
    }

    /// Nothing is left of the key but that it was seen who owned it, so that it can be told from a put of who had not.
    fn end_ownership(&mut self, gone: &[Version]) {
        for owner in gone.iter().filter_map(|version| version.owner.as_deref()) {
            for dot in [owner.since, owner.dot] {
                self.context.raise(dot.replica, dot.counter);
            }
        }
    }

    /// The join rule. `seen` says which dots the local replica has seen; `absent` says, in a full-state join, which dots
    /// the sender has seen: what it has seen and does not send was deleted.
    ///
    /// Idempotent, commutative and associative in what it keeps, for any split of a transfer.
    pub(crate) fn join(&mut self, other: Self, seen: impl Fn(Dot) -> bool, absent: impl Fn(Dot) -> bool) {
        let Self { versions: theirs, context } = other;
        self.versions.retain(|mine| {
            let sent = theirs.iter().any(|their| their.dot == mine.dot);
            sent || !(context.covers(mine.dot) || absent(mine.dot))
        });
        for their in theirs {
            let covered = seen(their.dot) && !active(Mutant::JoinPastClock);
            let superseded = self.context.covers(their.dot) && !active(Mutant::JoinPastContext);
            match self.versions.iter_mut().find(|mine| mine.dot == their.dot) {
                Some(_) if active(Mutant::OwnerNotJoined) => {}
                Some(mine) => mine.take_owner(their.owner),
                None if covered || superseded => {}
                None => self.versions.push(their),
            }
        }
        sort(&mut self.versions);
        self.context.join(&context);
    }

    /// Whether nothing is left to remember.
    pub(crate) fn is_void(&self) -> bool {
        self.versions.is_empty() && self.context.is_empty()
    }

    /// All dots of the entry, of its versions, their owners and its context.
    pub(crate) fn dots(&self) -> impl Iterator<Item = Dot> + '_ {
        self.versions.iter().flat_map(Version::dots).chain(self.context.dots())
    }

    /// The tag of what a read returns.
    pub fn tag(&self) -> Option<Tag> {
        Tag::of(self)
    }

    /// What a read returns as the key's value. A counter keeps the type of what was put; it is text if that has none.
    pub fn value(&self) -> Option<Value> {
        let put = || self.versions.first()?.value.as_ref();
        let Some(count) = self.counter() else { return put().cloned() };
        let own_type = put().map(|value| value.content_type.clone()).filter(|own_type| !own_type.is_empty());
        Some(Value { content_type: own_type.unwrap_or_else(|| "text/plain".into()), body: count.to_string().into() })
    }
}

fn sort(versions: &mut [Version]) {
    if versions.len() > 1 {
        versions.sort_unstable_by_key(|version| std::cmp::Reverse(version.rank()));
    }
}

#[cfg(test)]
mod tests;
