//! Local writes.

use crate::log::Slot;
use crate::shard::{Shard, Stage};
use crate::{Dot, Entry, Key, Read, Tag, Value, Version};

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
        let existed = self.check(key, condition, now)?;
        let hlc = self.hlc.tick(now);
        let dot = self.make_write(key, |entry, dot| {
            let owner = entry.owner().copied().map(Box::new);
            let value = Some(value);
            entry.put(Version { dot, hlc, writer: dot.replica, value, added: 0, owner, expires_at: None });
        });
        Ok(Written { dot, existed })
    }

    /// Deletes a value. Deleting a key that has none is no write: it would supersede nothing.
    pub fn delete(&mut self, key: &Key, condition: &Condition, now: u64) -> Result<Option<Written>, WriteError> {
        if !self.check(key, condition, now)? {
            return Ok(None);
        }
        let dot = self.make_write(key, Entry::delete);
        Ok(Some(Written { dot, existed: true }))
    }

    /// Drops what has expired, at most so many keys. Says whether there may be more.
    pub fn expire(&mut self, now: u64, most: usize) -> bool {
        let mut after = None;
        for _ in 0..most {
            let Some(due) = self.store.due(now, after) else { return false };
            after = Some(due);
            let key = self.store.key(due.1);
            let (record, ()) = self.store.change(&key, 0, &self.clock, |entry| entry.expire(now));
            if let Some(record) = record {
                self.unpurged.look_at(record);
            }
        }
        self.forget_stable();
        self.store.due(now, after).is_some()
    }

    /// When the next version expires, in Unix milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        self.store.next_deadline()
    }

    /// Whether a write may be made; says whether the key has a value.
    fn check(&self, key: &Key, condition: &Condition, now: u64) -> Result<bool, WriteError> {
        match self.stage {
            Stage::Joining => return Err(WriteError::Joining),
            Stage::Sealed { .. } => return Err(WriteError::Sealed),
            Stage::Live => {}
        }
        let current = self.store.get(key).and_then(|entry| Read::of(&entry, now)).map(|read| read.tag);
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => current.is_none(),
            Condition::Present => current.is_some(),
            Condition::Matches(tag) => current.as_ref() == Some(tag),
        };
        if holds { Ok(current.is_some()) } else { Err(WriteError::Condition { current }) }
    }

    /// Changes one entry under a new dot of this replica, with a log slot.
    fn make_write(&mut self, key: &Key, change: impl FnOnce(&mut Entry, Dot)) -> Dot {
        let replica = self.me();
        let counter = self.clock.get(replica) + 1;
        let dot = Dot { replica, counter };
        self.raise_clock(replica, counter);
        let (record, ()) = self.store.change(key, 1, &self.clock, |entry| change(entry, dot));
        if let Some(record) = record {
            self.log.push(replica, Slot { counter, record, continues: false });
        }
        self.release_cut_slots();
        self.forget_if_alone();
        dot
    }

    /// With no other member every write is stable at once.
    fn forget_if_alone(&mut self) {
        if self.roster.members().next().is_none() {
            self.forget_stable();
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
