//! What is true of owners: each time that one was given, or that its app confirmed it, and what the author knew.

use std::collections::BTreeMap;

use baton_replica::{Dot, Entry, Key, MemberPhase, Owner, ReplicaId, Token, Version};

use super::{Operation, Oracle, Seen};

/// A write that says who owns a key: it gives it to somebody or to nobody, or says that the owner's app runs it.
#[derive(Debug)]
pub(crate) struct Saying {
    /// The write, by number.
    pub(crate) operation: usize,
    /// What it says.
    pub(crate) owner: Owner,
    /// The versions that it has found, and that bear it.
    bearers: Vec<Dot>,
}

/// A key was taken over from an owner who has departed.
#[derive(Debug)]
pub(crate) struct Takeover {
    pub(crate) shard: usize,
    pub(crate) key: Key,
    /// Who gave it the owner that it had.
    pub(crate) from: Dot,
    pub(crate) by: ReplicaId,
    /// The members, as the one who took over knew them: the number of its list, and how far each was.
    pub(crate) members: (u64, BTreeMap<ReplicaId, MemberPhase>),
}

/// What an app was told: its agent has taken over a key for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Adopted {
    pub(crate) by: ReplicaId,
    pub(crate) shard: usize,
    pub(crate) key: Key,
    pub(crate) token: Token,
}

/// The order of owners along a key: by their tokens, and who has confirmed comes after who has not.
pub(crate) const fn height(owner: &Owner) -> (u64, Option<ReplicaId>, bool) {
    (owner.token, owner.replica, owner.confirmed)
}

// === impl Oracle ===

impl Oracle {
    /// Notes what the author of a write had seen, and what it has left of its key.
    pub(crate) fn note_author(&mut self, number: usize, knew: Seen, after: &Entry) {
        let operation = &mut self.operations[number];
        (operation.knew, operation.ends) = (Some(knew), after.versions().is_empty());
    }

    /// Notes what a write has said of the key's owner, if it has.
    pub(crate) fn note_owner(&mut self, number: usize, after: &Entry) {
        let dot = self.operations[number].dot;
        if let Some(owner) = after.owner().filter(|owner| owner.dot == dot) {
            let bearers = after.versions().iter().map(|version| version.dot).collect();
            self.sayings.push(Saying { operation: number, owner: *owner, bearers });
        }
    }

    /// What was said of the owners of a key, and by which write.
    pub(crate) fn sayings<'a>(
        &'a self,
        shard: usize,
        key: &'a Key,
    ) -> impl DoubleEndedIterator<Item = (&'a Saying, &'a Operation)> {
        let all = self.sayings.iter().map(|saying| (saying, &self.operations[saying.operation]));
        all.filter(move |(_, operation)| operation.shard == shard && operation.key == *key)
    }

    /// The write that first said what a register says, whoever has said it again.
    pub(crate) fn saying(&self, shard: usize, key: &Key, owner: &Owner) -> Option<&Saying> {
        let same = |said: &Owner| said.since == owner.since && said.confirmed == owner.confirmed;
        let of_key = |operation: &Operation| operation.shard == shard && operation.key == *key;
        self.sayings.iter().find(|saying| same(&saying.owner) && of_key(&self.operations[saying.operation]))
    }

    /// Whether what was said may have ended before everybody heard of it: what its author had not seen has left nothing of
    /// the key somewhere, or a version had a deadline that bore it, or that its author had not seen.
    pub(crate) fn may_have_ended(&self, saying: &Saying) -> bool {
        let mine = &self.operations[saying.operation];
        let same = self.operations.iter().filter(|one| one.shard == mine.shard && one.key == mine.key);
        let mut news = same.filter(|one| !self.knew(mine, one.dot) || saying.bearers.contains(&one.dot));
        let expires = |version: &Version| version.expires_at.is_some();
        news.any(|one| one.ends || one.made.as_ref().is_some_and(expires))
    }

    /// Whether the author of a write had seen another one.
    fn knew(&self, operation: &Operation, dot: Dot) -> bool {
        if operation.dot.replica == dot.replica {
            return dot.counter < operation.dot.counter;
        }
        operation.knew.as_ref().is_some_and(|knew| self.covers(knew, dot))
    }
}
