//! Several steps on some keys, with nothing between them on this replica.
//!
//! A turn holds the shards of its keys, in ascending order, so that no two turns wait for each other. What it reads does
//! not change until it has written; other replicas may write at the same time, as always. A turn never waits: the
//! acknowledgements that its writes are to have are noted, and waited for when it has ended.

mod owed;
mod together;

use std::cell::Cell;
use std::sync::MutexGuard;
use std::time::Instant;

use baton_replica::{
    Condition, Done, Dot, Effects, Key, Listed, MAX_BATCH, MapName, Operation, Read, Refusal, Request, Shard, Wake,
    WriteError,
};

use crate::engine::limit::{Pending, Place};
use crate::engine::{Engine, Range, WriteFailure, count, wall_millis};
pub(crate) use owed::Owed;
use owed::{By, Mark};
pub(crate) use together::Plan;

/// Rows that a turn which holds all shards may look at, or write by a plan: as many as one request has arguments. Nobody else
/// comes to any key meanwhile, nor do peers.
const MAX_ROWS: usize = 1 << 20;

/// Some shards, held.
pub(crate) struct Turn<'a> {
    engine: &'a Engine,
    owed: &'a mut Owed,
    /// Nearly always the only one.
    first: Option<Held<'a>>,
    /// The others, ascending.
    rest: Vec<Held<'a>>,
    /// What maps will hold when the turn has ended, as far as it has made them larger.
    pending: Pending,
    rows_left: Cell<usize>,
    now: u64,
}

struct Held<'a> {
    index: usize,
    shard: MutexGuard<'a, Shard>,
    usage: Use,
}

/// What was done to a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Read,
    /// Something was asked for that came to nothing. What had expired was dropped before.
    Tried,
    Written,
}

// === impl Engine ===

impl Engine {
    /// Holds the shards of some keys, for steps that read and write them. The acknowledgements of what is written are
    /// owed.
    pub(crate) fn turn<'k, R>(
        &self,
        owed: &mut Owed,
        keys: impl IntoIterator<Item = &'k Key>,
        steps: impl FnOnce(&mut Turn<'_>) -> R,
    ) -> R {
        let mut keys = keys.into_iter().map(|key| self.shard_of(key));
        let first = keys.next();
        let mut others: Vec<usize> = keys.filter(|index| Some(*index) != first).collect();
        if !others.is_empty() {
            others.extend(first);
            others.sort_unstable();
            others.dedup();
            return self.turn_of(owed, others.into_iter(), steps);
        }
        self.turn_of(owed, first.into_iter(), steps)
    }

    /// Holds one shard.
    pub(crate) fn turn_at<R>(&self, owed: &mut Owed, shard: usize, steps: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        self.turn_of(owed, std::iter::once(shard), steps)
    }

    /// Holds all shards, until the turn is let go.
    pub(crate) fn hold_all<'a>(&'a self, owed: &'a mut Owed) -> Turn<'a> {
        let turn = self.hold(owed, 0..self.shards.len());
        turn.rows_left.set(MAX_ROWS);
        turn
    }

    fn turn_of<R>(
        &self,
        owed: &mut Owed,
        shards: impl Iterator<Item = usize>,
        steps: impl FnOnce(&mut Turn<'_>) -> R,
    ) -> R {
        let mut turn = self.hold(owed, shards);
        let result = steps(&mut turn);
        turn.let_go();
        result
    }

    fn hold<'a>(&'a self, owed: &'a mut Owed, shards: impl Iterator<Item = usize>) -> Turn<'a> {
        let mut held = shards.map(|index| Held { index, shard: self.shards[index].shard.lock(), usage: Use::Read });
        let first = held.next();
        let rest = held.collect();
        let (pending, rows_left) = (Pending::default(), Cell::new(usize::MAX));
        Turn { engine: self, owed, first, rest, pending, rows_left, now: wall_millis() }
    }
}

// === impl Turn ===

impl<'a> Turn<'a> {
    /// Ends the turn: what it wrote goes on to the others.
    pub(crate) fn let_go(self) {
        let Turn { engine, first, rest, .. } = self;
        for Held { index, shard, usage } in first.into_iter().chain(rest) {
            let wake = match usage {
                Use::Read => continue,
                Use::Tried => Wake::Nobody,
                Use::Written => Wake::All,
            };
            engine.release(index, shard, None, Effects { wake, ..Effects::default() });
        }
    }

    /// The wall clock when the turn began, in Unix milliseconds.
    pub(crate) const fn now(&self) -> u64 {
        self.now
    }

    /// Reads one key.
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Read>, WriteError> {
        self.shard(key).get(key, self.now)
    }

    /// The fields of a key that have a value.
    pub(crate) fn fields(&self, key: &Key, range: Range<'_>) -> Result<Vec<Listed>, WriteError> {
        let limit = range.limit.min(self.rows_left.get().saturating_add(1));
        let fields = self.page(key, Range { limit, ..range })?;
        self.look_at(fields.len())?;
        Ok(fields)
    }

    /// The first field of a key that has a value.
    pub(crate) fn first_field(&self, key: &Key) -> Result<Option<Listed>, WriteError> {
        Ok(self.fields(key, Range { prefix: b"", after: None, limit: 1 })?.pop())
    }

    /// The keys of a held shard, without their fields, that have a value or a field that has one: of one map or of all,
    /// after one of them.
    pub(crate) fn names(
        &self,
        shard: usize,
        map: Option<&MapName>,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, WriteError> {
        let names = match map {
            Some(map) => self.at(shard).names(map, b"", after.map(Key::name), limit, self.now),
            None => self.at(shard).all_names(after, limit, self.now),
        }?;
        self.look_at(names.len())?;
        Ok(names)
    }

    /// Some key of a held shard that is wanted, without its field.
    pub(crate) fn some_name(&self, shard: usize, wanted: impl Fn(&Key) -> bool) -> Result<Option<Key>, WriteError> {
        self.at(shard).some_name(rand::random(), wanted, self.now)
    }

    /// Whether a key has a value of its own.
    pub(crate) fn has_value(&self, key: &Key) -> Result<bool, WriteError> {
        let shard = self.shard(key);
        shard.readable()?;
        Ok(shard.size(key, self.now).is_some())
    }

    /// Whether a key has a value, or a field that has one.
    pub(crate) fn exists(&self, key: &Key) -> Result<bool, WriteError> {
        Ok(self.has_value(key)? || self.first_field(key)?.is_some())
    }

    /// When a key ends in Unix milliseconds, if it is to: when its value does, or else its first field.
    pub(crate) fn deadline(&self, key: &Key) -> Result<Option<u64>, WriteError> {
        match self.get(key)? {
            Some(read) => Ok(read.expires_at()),
            None => Ok(self.first_field(key)?.and_then(|row| row.read.expires_at())),
        }
    }

    /// Does one operation.
    pub(crate) fn write(&mut self, key: &Key, operation: Operation) -> Result<Done, WriteFailure> {
        let name = count::name(&operation);
        let made = self.make(key, operation);
        self.note(key, name, made.as_ref().map(|(done, wanted)| (done.dot, *wanted)));
        made.map(|(done, _)| done)
    }

    /// The client is told that what is there of a key is there: it is to have the acknowledgements that a write of it has.
    pub(crate) fn vouch(&mut self, key: &Key) -> Result<(), WriteFailure> {
        let settings = self.engine.settings();
        let shard = &mut self.held(key).shard;
        let wanted = shard.admit(settings.write_acks_of(key.map()), settings.accept_when_alone)?;
        self.owe_what_is_there(key, wanted);
        Ok(())
    }

    /// Deletes a key with all of its fields, and says whether there was anything.
    pub(crate) fn remove(&mut self, key: &Key) -> Result<bool, WriteFailure> {
        let existed = self.write(key, Operation::Delete)?.existed;
        Ok(self.clear_fields(key)? > 0 || existed)
    }

    /// Deletes the fields of a key, and says how many there were.
    pub(crate) fn clear_fields(&mut self, key: &Key) -> Result<usize, WriteFailure> {
        let mut deleted = 0;
        loop {
            let fields = self.page(key, Range { prefix: b"", after: None, limit: MAX_BATCH })?;
            if fields.is_empty() {
                return Ok(deleted);
            }
            deleted += fields.len();
            let made = self.delete(key, fields);
            self.note(key, "clear", made.as_ref().copied());
            made?;
        }
    }

    /// So many rows more.
    fn look_at(&self, rows: usize) -> Result<(), WriteError> {
        let left = self.rows_left.get().checked_sub(rows).ok_or(Refusal::TooLarge)?;
        self.rows_left.set(left);
        Ok(())
    }

    fn page(&self, key: &Key, range: Range<'_>) -> Result<Vec<Listed>, WriteError> {
        let Range { prefix, after, limit } = range;
        self.shard(key).fields(key, prefix, after, limit, self.now)
    }

    fn make(&mut self, key: &Key, operation: Operation) -> Result<(Done, u32), WriteFailure> {
        let Self { engine, first, rest, pending, now, .. } = self;
        let (settings, now) = (engine.settings(), *now);
        let shard = &mut find(first, rest, engine.shard_of(key)).shard;
        let wanted = shard.admit(settings.write_acks_of(key.map()), settings.accept_when_alone)?;
        let place = Place { settings: &settings, usage: &engine.usage, shard, now };
        engine.limits.check(&place, Some(pending), key, &operation)?;
        Ok((shard.write_one(key, &Condition::Always, operation, now)?, wanted))
    }

    fn delete(&mut self, key: &Key, fields: Vec<Listed>) -> Result<(Option<Dot>, u32), WriteFailure> {
        let (settings, now) = (self.engine.settings(), self.now);
        let request =
            |row: Listed| Request { key: row.key, condition: Condition::Always, operation: Operation::Delete };
        let shard = &mut self.held(key).shard;
        let wanted = shard.admit(settings.write_acks_of(key.map()), settings.accept_when_alone)?;
        let done = shard.write(fields.into_iter().map(request).collect(), now).map_err(|rejected| rejected.error)?;
        Ok((done.last().and_then(|done| done.dot), wanted))
    }

    /// What has been written is owed its acknowledgements, and counted when it has them; all else is counted now.
    fn note(&mut self, key: &Key, name: &'static str, made: Result<(Option<Dot>, u32), &WriteFailure>) {
        let held = self.held(key);
        held.usage = held.usage.max(Use::Tried);
        match made {
            Ok((Some(dot), wanted)) => {
                held.usage = Use::Written;
                let mark = Mark { shard: held.index, dot, wanted, by: By::Client(name) };
                self.owed.add(mark);
            }
            Ok((None, wanted)) => {
                self.owe_what_is_there(key, wanted);
                self.engine.counts.wrote(name, None, Instant::now());
            }
            Err(failure) => self.engine.counts.wrote(name, Some(failure), Instant::now()),
        }
    }

    fn owe_what_is_there(&mut self, key: &Key, wanted: u32) {
        if wanted == 0 {
            return;
        }
        let held = find(&mut self.first, &mut self.rest, self.engine.shard_of(key));
        for dot in held.shard.unacknowledged(key, wanted) {
            self.owed.add(Mark { shard: held.index, dot, wanted, by: By::Somebody });
        }
    }

    fn shard(&self, key: &Key) -> &Shard {
        self.at(self.engine.shard_of(key))
    }

    fn at(&self, index: usize) -> &Shard {
        match self.first.iter().chain(&self.rest).find(|held| held.index == index) {
            Some(held) => &held.shard,
            None => unreachable!("a turn holds the shards of its keys"),
        }
    }

    fn held(&mut self, key: &Key) -> &mut Held<'a> {
        find(&mut self.first, &mut self.rest, self.engine.shard_of(key))
    }
}

fn find<'h, 'a>(first: &'h mut Option<Held<'a>>, rest: &'h mut [Held<'a>], index: usize) -> &'h mut Held<'a> {
    match first.iter_mut().chain(rest).find(|held| held.index == index) {
        Some(held) => held,
        None => unreachable!("a turn holds the shards of its keys"),
    }
}

#[cfg(test)]
mod tests {
    use baton_replica::{ReplicaId, Value};

    use super::*;
    use crate::engine::{DefaultLimits, Identity};

    const LIMITS: DefaultLimits = DefaultLimits { max_value_bytes: 64, max_bytes: 1 << 20, max_entries: 100 };

    #[test]
    fn a_turn_that_holds_all_looks_at_so_many_rows_and_plans_no_more() {
        let identity = Identity { group: "default/test".into(), pod_name: "a".into(), pod_uid: String::new() };
        let engine = Engine::new(ReplicaId::new(7).expect("not zero"), identity, 1, LIMITS);
        engine.start_empty();
        let (mut owed, key) = (Owed::default(), Key::of_parts(b"m", b"k").expect("a key"));
        let mut turn = engine.hold_all(&mut owed);
        assert_eq!(turn.rows_left.get(), MAX_ROWS);
        for name in [b"1", b"2", b"3"] {
            let put = Operation::Put {
                value: Value { content_type: Box::default(), body: b"v"[..].into() },
                expires_at: None,
            };
            turn.write(&key.with_field(name).expect("a field"), put).expect("there is room");
        }
        let all = Range { prefix: b"", after: None, limit: usize::MAX };
        turn.rows_left.set(7);
        assert_eq!(turn.fields(&key, all).expect("three of seven").len(), 3);
        assert_eq!(turn.names(0, None, None, 10).expect("a key").len(), 1);
        let touch = Operation::Touch { expires_at: Some(turn.now() + 60_000) };
        let too_large = WriteFailure::Refused(Refusal::TooLarge.into());
        assert_eq!(turn.write_whole(&key, &touch), Err(too_large), "a key and three fields, and three rows are left");
        assert_eq!(turn.deadline(&key), Ok(None), "none of them was written");
        turn.rows_left.set(0);
        assert_eq!(turn.names(0, None, None, 10), Err(Refusal::TooLarge.into()));
        assert_eq!(turn.remove(&key), Ok(true), "what was planned before ends");
        turn.let_go();
    }
}
