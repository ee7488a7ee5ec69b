//! Several operations as one: it is found out whether all of them can be done before the first is.

use std::collections::BTreeMap;

use baton_replica::{
    Condition, Done, Key, Listed, MAX_BATCH, MAX_BATCH_BYTES, Operation, Refusal, Request, WriteError,
};

use crate::engine::limit::{Balance, Place};
use crate::engine::turn::find;
use crate::engine::{Range, Turn, WriteFailure, count};

/// Operations that are to be done, all or none. They are told page by page, and done page by page when all were told.
#[derive(Default)]
pub(crate) struct Plan {
    balance: Balance,
    /// What each shard is to take in bytes.
    bytes: BTreeMap<usize, u64>,
}

/// One operation with its place among the others.
struct Placed {
    at: usize,
    key: Key,
    operation: Operation,
}

// === impl Turn ===

impl Turn<'_> {
    /// Does operations on keys of the turn: all or none. Other members see those of one shard as one, as far as a batch takes
    /// them; what is more is made batch after batch.
    pub(crate) fn write_together(&mut self, mut changes: Vec<(Key, Operation)>) -> Result<Vec<Done>, WriteFailure> {
        if changes.len() <= 1 {
            return changes.pop().map(|(key, operation)| self.write(&key, operation)).into_iter().collect();
        }
        let mut plan = Plan::default();
        let can = self.plan(&mut plan, &changes).and_then(|()| self.decide(&plan));
        if let Err(failure) = &can {
            changes.iter().for_each(|(key, operation)| self.note(key, count::name(operation), Err(failure)));
        }
        can?;
        self.carry_out(changes)
    }

    /// Does an operation to a key and all of its fields, or to none of them.
    pub(crate) fn write_whole(&mut self, key: &Key, operation: &Operation) -> Result<(), WriteFailure> {
        let (mut plan, same) = (Plan::default(), |key: Key| (key, operation.clone()));
        self.plan(&mut plan, &[same(key.clone())])?;
        self.each_page(key, |turn, fields| {
            let changes: Vec<_> = fields.into_iter().map(|row| same(row.key)).collect();
            turn.plan(&mut plan, &changes)
        })?;
        self.decide(&plan)?;
        self.write(key, operation.clone())?;
        self.each_page(key, |turn, fields| {
            turn.carry_out(fields.into_iter().map(|row| same(row.key)).collect())?;
            Ok(())
        })
    }

    /// Deletes keys with all of their fields, or none of them, and says how many there were.
    pub(crate) fn remove_all(&mut self, keys: &[Key]) -> Result<usize, WriteFailure> {
        let deletes: Vec<_> = keys.iter().map(|key| (key.clone(), Operation::Delete)).collect();
        self.plan(&mut Plan::default(), &deletes)?;
        let mut removed = 0;
        for key in keys {
            removed += usize::from(self.remove(key)?);
        }
        Ok(removed)
    }

    /// Finds out whether operations can be done each for itself, and adds them to a plan.
    pub(crate) fn plan(&mut self, plan: &mut Plan, changes: &[(Key, Operation)]) -> Result<(), WriteFailure> {
        self.look_at(changes.len())?;
        let (settings, now) = (self.engine.settings(), self.now);
        let mut parts: BTreeMap<usize, Vec<Request>> = BTreeMap::new();
        for (key, operation) in changes {
            let held = self.held(key);
            let index = held.index;
            held.shard.admit(settings.write_acks_of(key.map()), settings.accept_when_alone)?;
            let place = Place { settings: &settings, usage: &self.engine.usage, shard: self.at(index), now };
            self.engine.limits.weigh(&place, &mut plan.balance, key, operation)?;
            let requests = parts.entry(index).or_default();
            if may_be_refused(operation) {
                let (key, operation) = (key.clone(), operation.clone());
                requests.push(Request { key, condition: Condition::Always, operation });
            }
            if operation.needs_room() {
                *plan.bytes.entry(index).or_default() += bytes(key, operation) as u64;
            }
        }
        for (index, requests) in parts {
            self.at(index).can_write(&requests, now).map_err(|rejected| rejected.error)?;
        }
        Ok(())
    }

    /// Finds out whether there is room for all that was planned. From then on it counts as there.
    pub(crate) fn decide(&mut self, plan: &Plan) -> Result<(), WriteFailure> {
        if plan.bytes.iter().any(|(index, bytes)| *bytes > self.at(*index).room()) {
            return Err(WriteError::Refused(Refusal::Full).into());
        }
        let Self { engine, pending, .. } = self;
        Ok(engine.limits.check_all(&engine.settings(), &engine.usage, pending, &plan.balance)?)
    }

    /// Does what was decided.
    pub(crate) fn carry_out(&mut self, changes: Vec<(Key, Operation)>) -> Result<Vec<Done>, WriteFailure> {
        let mut done: Vec<Option<Done>> = vec![None; changes.len()];
        let mut parts: BTreeMap<usize, Vec<Placed>> = BTreeMap::new();
        for (at, (key, operation)) in changes.into_iter().enumerate() {
            parts.entry(self.engine.shard_of(&key)).or_default().push(Placed { at, key, operation });
        }
        for (index, part) in parts {
            let mut rest = part.into_iter().peekable();
            while rest.peek().is_some() {
                let mut size = 0;
                let mut fits = |at: usize, Placed { key, operation, .. }: &Placed| {
                    size += bytes(key, operation);
                    at == 0 || (at < MAX_BATCH && size <= MAX_BATCH_BYTES)
                };
                let mut batch = Vec::new();
                while let Some(placed) = rest.next_if(|placed| fits(batch.len(), placed)) {
                    batch.push(placed);
                }
                for (at, made) in self.carry_out_batch(index, batch)? {
                    done[at] = Some(made);
                }
            }
        }
        Ok(done.into_iter().flatten().collect())
    }

    /// Does one batch of one shard.
    fn carry_out_batch(&mut self, index: usize, batch: Vec<Placed>) -> Result<Vec<(usize, Done)>, WriteFailure> {
        let (settings, now) = (self.engine.settings(), self.now);
        let mut told = Vec::with_capacity(batch.len());
        for Placed { at, key, operation } in &batch {
            let shard = &mut self.held(key).shard;
            let wanted = shard.admit(settings.write_acks_of(key.map()), settings.accept_when_alone)?;
            told.push((*at, key.clone(), count::name(operation), wanted));
        }
        let request = |Placed { key, operation, .. }| Request { key, condition: Condition::Always, operation };
        let requests = batch.into_iter().map(request).collect();
        let held = find(&mut self.first, &mut self.rest, index);
        let made = held.shard.write_more(requests, now).map_err(|rejected| rejected.error)?;
        let mut done = Vec::with_capacity(made.len());
        for ((at, key, name, wanted), made) in told.into_iter().zip(made) {
            self.note(&key, name, Ok((made.dot, wanted)));
            done.push((at, made));
        }
        Ok(done)
    }

    /// Goes through the fields of a key.
    pub(crate) fn each_page<E: From<WriteError>>(
        &mut self,
        key: &Key,
        mut page: impl FnMut(&mut Self, Vec<Listed>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let fields = self.page(key, Range { prefix: b"", after: after.as_deref(), limit: MAX_BATCH })?;
            let Some(last) = fields.last() else { return Ok(()) };
            after = last.key.field().map(<[u8]>::to_vec);
            page(self, fields)?;
        }
    }
}

/// Whether what is there of a key may not allow it.
const fn may_be_refused(operation: &Operation) -> bool {
    !matches!(operation, Operation::Put { .. } | Operation::Init { .. } | Operation::Delete | Operation::Take)
}

fn bytes(key: &Key, operation: &Operation) -> usize {
    key.as_bytes().len() + operation.size()
}
