//! Local writes: one at a time, or several in one batch.
//!
//! The batch's ranges are never cut inside it, so that a peer that gets it from its writer applies all of it in one step.
//! A part of it can be seen earlier: entries travel whole, so another write to one of its keys brings the batch's write to
//! that key along. Nor does a full-state transfer keep batches together. In the end all of it is everywhere, and against
//! concurrent writes it wins or loses as one: its writes bear one time.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::expiry::{change_unexpired, unexpired};
use crate::log::Slot;
use crate::mutant::{Mutant, active};
use crate::operation::{Author, Need, put};
use crate::shard::{Shard, Stage};
use crate::store::{Keep, RecordId};
use crate::{
    Answer, Condition, Done, Dot, Entry, Hlc, Key, Operation, Refusal, Request, Roster, Tag, Value, Version,
    VersionVector,
};

/// Requests in one batch: a sixteenth of the log window, so that a batch does not push all else out of it.
pub const MAX_BATCH: usize = 1_024;

/// Bytes of keys and values in one batch. It travels in one frame, with the siblings of what it writes.
pub const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

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
    /// What is there does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A batch that was not made; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("request {at} of the batch: {error}")]
pub struct Rejected {
    /// Which request, from 0, it failed for.
    pub at: usize,
    /// Why.
    pub error: WriteError,
}

/// The number of the next write, and whether it belongs to one batch with the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Alone,
    After,
}

// === impl Shard ===

impl Shard {
    /// Puts a value. `now` is the wall clock in Unix milliseconds.
    pub fn put(&mut self, key: &Key, value: Value, condition: &Condition, now: u64) -> Result<Written, WriteError> {
        let done = self.write_one(key, condition, Operation::Put { value, expires_at: None }, now)?;
        let Some(dot) = done.dot else { unreachable!("a put is always a write") };
        Ok(Written { dot, existed: done.existed })
    }

    /// Deletes a value. Deleting a key that has none is no write: it would supersede nothing.
    pub fn delete(&mut self, key: &Key, condition: &Condition, now: u64) -> Result<Option<Written>, WriteError> {
        let done = self.write_one(key, condition, Operation::Delete, now)?;
        Ok(done.dot.map(|dot| Written { dot, existed: done.existed }))
    }

    /// Does one operation. `now` is the wall clock in Unix milliseconds.
    pub fn write_one(
        &mut self,
        key: &Key,
        condition: &Condition,
        operation: Operation,
        now: u64,
    ) -> Result<Done, WriteError> {
        self.writable(operation.needs_room())?;
        if self.drop_expired(key, now) {
            self.own_overtaken();
            self.forget_stable();
        }
        let done = match operation {
            // The most frequent write does not look at what it replaces.
            Operation::Put { value, expires_at: None } if *condition == Condition::Always => {
                let hlc = self.hlc.tick(now);
                self.make_put(key, false, hlc, value, now)
            }
            operation => {
                let stored = self.store.get(key);
                check(condition, stored.as_deref(), now)?;
                let need = operation.need(stored.as_deref(), &self.roster, now)?;
                let existed = stored.as_deref().is_some_and(|entry| exists(entry, now));
                let hlc = self.hlc.tick(now);
                self.perform(key, operation, (need, existed), Place::Alone, hlc, now)
            }
        };
        self.end_writes();
        Ok(done)
    }

    /// Does several operations at once, or none if one of them cannot be done.
    ///
    /// All conditions are those of the state before the batch; the operations see what the ones before them did.
    pub fn write(&mut self, requests: Vec<Request>, now: u64) -> Result<Vec<Done>, Rejected> {
        let at = requests.iter().position(|request| request.operation.needs_room());
        self.writable(at.is_some()).map_err(|error| Rejected { at: at.unwrap_or(0), error })?;
        self.write_more(requests, now)
    }

    /// Whether several operations can be done, in as many batches as they take, if there is [room](Self::room) for them.
    pub fn can_write(&self, requests: &[Request], now: u64) -> Result<(), Rejected> {
        self.writable(false).map_err(|error| Rejected { at: 0, error })?;
        self.rehearse(requests, now)
    }

    /// Bytes of keys and values that may be written here.
    pub fn room(&self) -> u64 {
        self.limits.max_bytes.saturating_sub(self.store.bytes())
    }

    /// Writes a batch of several for which there was room before the first: see [`Self::can_write`].
    pub fn write_more(&mut self, requests: Vec<Request>, now: u64) -> Result<Vec<Done>, Rejected> {
        self.writable(false).map_err(|error| Rejected { at: 0, error })?;
        let bytes: usize = requests.iter().map(|request| request.key.as_bytes().len() + request.operation.size()).sum();
        if requests.len() > MAX_BATCH || bytes > MAX_BATCH_BYTES {
            return Err(Rejected { at: 0, error: Refusal::TooLarge.into() });
        }
        self.store.expect_keys(requests.iter().map(|request| request.key.borrow()));
        let expired = requests.iter().filter(|request| self.drop_expired(&request.key, now)).count();
        if expired > 0 {
            self.own_overtaken();
            self.forget_stable();
        }
        self.rehearse(&requests, now)?;
        let before = self.clock.get(self.me());
        let hlc = self.hlc.tick(now);
        let mut done = Vec::with_capacity(requests.len());
        for Request { key, operation, .. } in requests {
            let stored = self.store.get(&key);
            let existed = stored.as_deref().is_some_and(|entry| exists(entry, now));
            let need = operation.need(stored.as_deref(), &self.roster, now);
            let Ok(need) = need else { unreachable!("the batch was rehearsed") };
            drop(stored);
            let place = if self.clock.get(self.me()) > before { Place::After } else { Place::Alone };
            done.push(self.perform(&key, operation, (need, existed), place, hlc, now));
        }
        self.end_writes();
        Ok(done)
    }

    /// Drops what has expired, at most so many keys. Says whether there may be more.
    pub fn expire(&mut self, now: u64, most: usize) -> bool {
        if active(Mutant::TimerDropsNothing) {
            return false;
        }
        let mut after = None;
        for _ in 0..most {
            let Some(due) = self.store.due(now, after) else { break };
            after = Some(due);
            let key = self.store.key(due.1);
            self.expire_key(&key, now);
        }
        self.own_overtaken();
        self.forget_stable();
        self.store.due(now, after).is_some()
    }

    /// When the next version expires, in Unix milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        self.store.next_deadline()
    }

    /// What has expired of a key is dropped before anything else happens to it, as a change of its own: its watchers see
    /// that it ended, and no operation finds it. Says whether anything was.
    pub(super) fn drop_expired(&mut self, key: &Key, now: u64) -> bool {
        if self.store.next_deadline().is_none_or(|deadline| deadline > now) {
            return false;
        }
        let expired = |entry: &Entry| entry.versions().iter().any(|version| version.has_expired(now));
        let any = self.store.get(key).is_some_and(|entry| expired(&entry));
        if any {
            self.expire_key(key, now);
        }
        any
    }

    /// Changes one entry under a new dot of this replica, with a log slot.
    pub(super) fn make_write<R>(
        &mut self,
        key: &Key,
        follows: bool,
        change: impl FnOnce(&mut Entry, Dot, &Roster) -> R,
    ) -> (Dot, R) {
        let dot = self.next_dot();
        let Self { clock, roster, store, .. } = self;
        let seen = |dot: Dot| clock.covers(dot) || !roster.lists(dot.replica);
        let (record, result) = store.change(key, 1, seen, |entry| change(entry, dot, roster));
        self.log_write(dot, record, follows);
        (dot, result)
    }

    /// What [`Self::make_write`] does for a put, in the usual case by fewer steps.
    fn make_put(&mut self, key: &Key, follows: bool, hlc: Hlc, value: Value, now: u64) -> Done {
        let settled = self.is_settled_alone();
        let dot = self.next_dot();
        let version = Version::put(dot, hlc, value, None);
        let Self { clock, roster, store, .. } = self;
        let seen = |dot: Dot| clock.covers(dot) || !roster.lists(dot.replica);
        let superseded = |old: Dot| {
            let context = VersionVector::from_iter([(old.replica, old.counter)]);
            (!active(Mutant::PutDropsContext)).then_some(context)
        };
        let keep = if settled { Keep::Nothing } else { Keep::Superseded { slots: 1 } };
        let (record, existed) = match store.replace(key, keep, seen, version, superseded) {
            Ok(_) if settled => {
                self.log.restart(dot.replica, dot.counter);
                self.recheck_handover(key);
                return Done { dot: Some(dot), existed: true, answer: Answer::Nothing };
            }
            Ok(record) => (Some(record), true),
            Err(version) => store.change(key, 1, seen, |entry| {
                change_unexpired(entry, now, |entry| {
                    let existed = !entry.versions().is_empty();
                    put(entry, version);
                    existed
                })
            }),
        };
        self.log_write(dot, record, follows);
        self.recheck_handover(key);
        Done { dot: Some(dot), existed, answer: Answer::Nothing }
    }

    pub(super) fn next_dot(&mut self) -> Dot {
        let replica = self.me();
        let counter = self.clock.get(replica) + 1;
        self.raise_clock(replica, counter);
        Dot { replica, counter }
    }

    pub(super) fn log_write(&mut self, dot: Dot, record: Option<RecordId>, follows: bool) {
        if follows {
            self.log.continue_last(dot.replica);
        }
        if let Some(record) = record {
            self.log.push(dot.replica, Slot { counter: dot.counter, record, continues: false });
        }
    }

    /// What has to be done after writes were made.
    pub(super) fn end_writes(&mut self) {
        self.release_cut_slots();
        // With no other member every write is stable at once.
        if self.roster.members().next().is_none() && !self.is_settled_alone() {
            self.forget_stable();
        }
    }

    fn perform(
        &mut self,
        key: &Key,
        operation: Operation,
        (need, existed): (Need, bool),
        place: Place,
        hlc: Hlc,
        now: u64,
    ) -> Done {
        if need == Need::Nothing {
            let answer = if operation == Operation::Take { Answer::Taken(None) } else { Answer::Nothing };
            return Done { dot: None, existed, answer };
        }
        let token = if operation.takes_token() { self.token_for(key, hlc) } else { 0 };
        let follows = place == Place::After;
        if let Operation::Put { value, expires_at: None } = operation {
            return self.make_put(key, follows, hlc, value, now);
        }
        let (dot, answer) = self.make_write(key, follows, |entry, dot, roster| {
            operation.apply(entry, &Author { roster, dot, hlc, token, now })
        });
        self.recheck_handover(key);
        Done { dot: Some(dot), existed, answer }
    }

    fn token_for(&mut self, key: &Key, hlc: Hlc) -> u64 {
        let owner = self.store.get(key).and_then(|entry| entry.owner().copied());
        // Who asks for one that there is not was refused.
        self.take_token(hlc, owner.as_ref()).unwrap_or(u64::MAX)
    }

    /// Whether a batch can be made. Keys that it names more than once are tried out on copies.
    fn rehearse(&self, requests: &[Request], now: u64) -> Result<(), Rejected> {
        let mut seen = BTreeSet::new();
        let again: BTreeSet<&Key> =
            requests.iter().map(|request| &request.key).filter(|key| !seen.insert(*key)).collect();
        let mut copies: BTreeMap<&Key, Entry> = BTreeMap::new();
        let mut dot = Dot { replica: self.me(), counter: self.clock.get(self.me()) };
        for (at, Request { key, condition, operation }) in requests.iter().enumerate() {
            let rejected = |error| Rejected { at, error };
            let stored = self.store.get(key);
            if !active(Mutant::BatchIgnoresConditions) {
                check(condition, stored.as_deref(), now).map_err(rejected)?;
            }
            let stored = stored.unwrap_or_default();
            let entry = copies.get(key).unwrap_or(&stored);
            let need = operation.need(Some(entry), &self.roster, now).map_err(|refusal| rejected(refusal.into()))?;
            if need == Need::Write && again.contains(key) {
                dot.counter += 1;
                let token = entry.owner().map_or(0, |owner| owner.token.saturating_add(1));
                let author = Author { roster: &self.roster, dot, hlc: Hlc::default(), token, now };
                operation.clone().apply(copies.entry(key).or_insert_with(|| stored.into_owned()), &author);
            }
        }
        Ok(())
    }

    fn writable(&self, needs_room: bool) -> Result<(), WriteError> {
        match self.stage {
            Stage::Joining => Err(WriteError::Joining),
            Stage::Sealed { .. } => Err(WriteError::Sealed),
            Stage::Live if self.brings_back() => Err(WriteError::Joining),
            Stage::Live if needs_room && self.is_full() => Err(Refusal::Full.into()),
            Stage::Live => Ok(()),
        }
    }

    fn expire_key(&mut self, key: &Key, now: u64) {
        let Self { clock, roster, store, .. } = self;
        let seen = |dot: Dot| clock.covers(dot) || !roster.lists(dot.replica);
        let (record, (before, overtaken, after)) = store.change(key, 0, seen, |entry| {
            let before = entry.owner().copied();
            entry.expire(now);
            let overtaken = before.filter(|owner| entry.shows_earlier(owner));
            (before, overtaken, entry.owner().copied())
        });
        if let Some(record) = record {
            self.unpurged.look_at(record);
        }
        // What is left may be owned by somebody else, or have had an earlier owner.
        self.note_owner(key, record, before, overtaken.or(after));
        if let Some(owner) = overtaken {
            self.note_overtaken(key, owner);
        }
    }
}

fn check(condition: &Condition, stored: Option<&Entry>, now: u64) -> Result<(), WriteError> {
    let entry = stored.map(|stored| unexpired(Cow::Borrowed(stored), now));
    if condition.holds(entry.as_deref()) {
        return Ok(());
    }
    Err(WriteError::Condition { current: entry.as_deref().and_then(Entry::tag) })
}

fn exists(stored: &Entry, now: u64) -> bool {
    !unexpired(Cow::Borrowed(stored), now).versions().is_empty()
}
