//! Local writes.

use crate::log::Log;
use crate::shard::{Shard, Stage};
use crate::{Dot, Entry, Key, Tag, Value, Version};

/// What must hold of the key for a write to be made. It is checked here, on this replica, not across the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// The key has no value.
    Absent,
    /// The key has a value.
    Present,
    /// The key's versions are these.
    Matches(Tag),
}

/// A write that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub dot: Dot,
    /// Whether the key had a value before.
    pub existed: bool,
}

/// A write that was not made; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The state is still on its way to this replica.
    #[error("this replica does not hold the state yet")]
    Joining,
    /// This replica is about to end and takes no more writes.
    #[error("this replica has been sealed")]
    Sealed,
    /// The condition does not hold.
    #[error("the key is not in the state that the write asks for")]
    Condition {
        /// The key's present tag, if it has a value.
        current: Option<Tag>,
    },
}

// === impl Shard ===

impl Shard {
    /// Puts a value. `now` is the wall clock in Unix milliseconds.
    pub fn put(&mut self, key: &Key, value: Value, condition: &Condition, now: u64) -> Result<Written, WriteError> {
        self.check(key, condition)?;
        let dot = self.next_dot(key);
        let version = Version { dot, hlc: self.hlc.tick(now), writer: dot.replica, value };
        let existed = self.store.change(key, |entry| {
            let existed = !entry.versions().is_empty();
            entry.put(version);
            existed
        });
        Ok(Written { dot, existed })
    }

    /// Deletes a value. Deleting a key that has none is no write: it would supersede nothing.
    pub fn delete(&mut self, key: &Key, condition: &Condition) -> Result<Option<Written>, WriteError> {
        self.check(key, condition)?;
        if self.store.get(key).is_none_or(|entry| entry.versions().is_empty()) {
            return Ok(None);
        }
        let dot = self.next_dot(key);
        self.store.change(key, |entry| entry.delete(dot));
        Ok(Some(Written { dot, existed: true }))
    }

    fn check(&self, key: &Key, condition: &Condition) -> Result<(), WriteError> {
        match self.stage {
            Stage::Joining => return Err(WriteError::Joining),
            Stage::Sealed { .. } => return Err(WriteError::Sealed),
            Stage::Live => {}
        }
        let current = self.store.get(key).and_then(Tag::of);
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => current.is_none(),
            Condition::Present => current.is_some(),
            Condition::Matches(tag) => current.as_ref() == Some(tag),
        };
        if holds { Ok(()) } else { Err(WriteError::Condition { current }) }
    }

    fn next_dot(&mut self, key: &Key) -> Dot {
        let replica = self.me();
        let counter = self.clock.get(replica) + 1;
        self.clock.raise(replica, counter);
        Log::push(&mut self.log, replica, counter, key.clone());
        self.cut_own_if_alone();
        Dot { replica, counter }
    }

    /// With no other member every write is stable at once.
    fn cut_own_if_alone(&mut self) {
        if self.roster.members().next().is_none() {
            self.cut_stable();
        }
    }
}

// === impl Entry ===

impl Entry {
    /// The tag of what a read returns.
    pub fn tag(&self) -> Option<Tag> {
        Tag::of(self)
    }
}
