//! Several operations at once: all of them or none, if their keys are in one shard.
//!
//! Shards are independent, and nothing ever locks two of them. So a batch over several shards is either refused, or made
//! one shard after the other, as its client says: then each shard's part is made as a whole or not at all.

use std::collections::BTreeMap;
use std::time::Instant;

use baton_replica::{AckLevel, Done, Dot, Key, MAX_BATCH, Operation, Refusal, Rejected, Request, Settings, Shard};

use crate::engine::limit::{Pending, Place};
use crate::engine::write::{After, Made, effects_of};
use crate::engine::{Engine, Precondition, Stored, WriteFailure, count, wall_millis};

/// One operation of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) key: Key,
    /// What must hold of the key before the batch.
    pub(crate) precondition: Precondition,
    pub(crate) operation: Operation,
}

/// Operations that are asked for together.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) changes: Vec<Change>,
    /// For all of them; `None` means the strictest default of their maps.
    pub(crate) acks: Option<AckLevel>,
}

/// A batch, or a shard's part of one, that did not end as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BatchFailure {
    /// Nothing was written: the keys are in several shards.
    #[error("the keys of this batch are in several shards, which cannot be written as one")]
    SeveralShards,
    /// Nothing was written, because of one of them; or all was written here, and not acknowledged as asked.
    #[error("request {at} of the batch: {failure}")]
    Failed { at: usize, failure: WriteFailure },
}

// === impl Engine ===

impl Engine {
    /// Makes all changes or none. All preconditions are those of the state before; each change sees what the ones before
    /// it did.
    pub(crate) async fn write_together(&self, batch: Batch) -> Result<Vec<Stored>, BatchFailure> {
        let Some(first) = batch.changes.first() else { return Ok(Vec::new()) };
        let index = self.shard_of(&first.key);
        if batch.changes.iter().any(|change| self.shard_of(&change.key) != index) {
            return Err(BatchFailure::SeveralShards);
        }
        self.write_part(index, batch).await
    }

    /// Makes each shard's changes as one, with the results in the order of the changes.
    pub(crate) async fn write_by_shard(&self, batch: Batch) -> Vec<Result<Stored, BatchFailure>> {
        let mut parts: BTreeMap<usize, (Vec<usize>, Vec<Change>)> = BTreeMap::new();
        let count = batch.changes.len();
        for (at, change) in batch.changes.into_iter().enumerate() {
            let (places, changes) = parts.entry(self.shard_of(&change.key)).or_default();
            places.push(at);
            changes.push(change);
        }
        let acks = batch.acks;
        // All parts are made before any is waited for.
        let parts = parts.into_iter().map(|(index, (places, changes))| async move {
            let result = self.write_part(index, Batch { changes, acks }).await;
            let at = |within: usize| places.get(within).copied().unwrap_or_default();
            let result = result.map_err(|failure| match failure {
                BatchFailure::Failed { at: within, failure } => BatchFailure::Failed { at: at(within), failure },
                BatchFailure::SeveralShards => failure,
            });
            (places, result)
        });
        let mut results: Vec<Option<Result<Stored, BatchFailure>>> = vec![None; count];
        for (places, result) in futures_util::future::join_all(parts).await {
            match result {
                Ok(stored) => places.iter().zip(stored).for_each(|(at, stored)| results[*at] = Some(Ok(stored))),
                Err(failure) => places.iter().for_each(|at| results[*at] = Some(Err(failure.clone()))),
            }
        }
        results.into_iter().flatten().collect()
    }

    async fn write_part(&self, index: usize, batch: Batch) -> Result<Vec<Stored>, BatchFailure> {
        let began = Instant::now();
        let names: Vec<&str> = batch.changes.iter().map(|change| count::name(&change.operation)).collect();
        let result = self.write_part_acknowledged(index, batch).await;
        let failure = result.as_ref().err().and_then(BatchFailure::cause);
        names.iter().for_each(|name| self.counts.wrote(name, failure, began));
        result
    }

    async fn write_part_acknowledged(&self, index: usize, batch: Batch) -> Result<Vec<Stored>, BatchFailure> {
        let settings = self.settings();
        let Batch { changes, acks } = batch;
        if changes.len() > MAX_BATCH {
            return Err(BatchFailure::Failed { at: MAX_BATCH, failure: refused(Refusal::TooLarge) });
        }
        let mut wanted = 0;
        for (at, change) in changes.iter().enumerate() {
            let asked = self.wanted_acks(index, &change.key, &settings, acks);
            wanted = wanted.max(asked.map_err(|failure| BatchFailure::Failed { at, failure })?);
        }
        let mut result = Ok(Vec::new());
        self.with_shard(index, None, |shard| {
            result = self.write_part_here(shard, changes, &settings, wanted);
            effects_of(result.is_ok())
        });
        let made: Vec<Made> = result?;
        let last = made.iter().rev().find_map(|made| made.done.dot);
        let there: Vec<Dot> = made.iter().flat_map(|made| &made.there).copied().collect();
        let acks = self.wait_for_all(index, last, &there, wanted).await;
        if acks < wanted {
            let tag = None;
            let failure = WriteFailure::Unacknowledged { tag, asked: wanted, got: acks };
            return Err(BatchFailure::Failed { at: made.len() - 1, failure });
        }
        let stored = |Made { done, tag, .. }: Made| {
            let Done { dot, existed, answer } = done;
            Stored { tag, existed, written: dot.is_some(), answer, acks }
        };
        Ok(made.into_iter().map(stored).collect())
    }

    fn write_part_here(
        &self,
        shard: &mut Shard,
        changes: Vec<Change>,
        settings: &Settings,
        wanted: u32,
    ) -> Result<Vec<Made>, BatchFailure> {
        let now = wall_millis();
        let mut pending = Pending::default();
        let mut requests = Vec::with_capacity(changes.len());
        let mut after = Vec::with_capacity(changes.len());
        for (at, Change { key, precondition, operation }) in changes.into_iter().enumerate() {
            let failed = |failure| BatchFailure::Failed { at, failure };
            let condition = self.admit(shard, &key, &precondition, now).map_err(failed)?;
            let place = Place { settings, usage: &self.usage, shard, now };
            let checked = self.limits.check(&place, Some(&mut pending), &key, &operation);
            checked.map_err(|error| failed(error.into()))?;
            after.push((key.clone(), After::of(&operation)));
            requests.push(Request { key, condition, operation });
        }
        let rejected = |Rejected { at, error }| BatchFailure::Failed { at, failure: error.into() };
        let done = shard.write(requests, now).map_err(rejected)?;
        let made = |(done, (key, after)): (Done, (Key, After))| after.of_key(shard, &key, done, wanted, now);
        Ok(done.into_iter().zip(after).map(made).collect())
    }
}

// === impl BatchFailure ===

impl BatchFailure {
    const fn cause(&self) -> Option<&WriteFailure> {
        match self {
            Self::SeveralShards => None,
            Self::Failed { failure, .. } => Some(failure),
        }
    }
}

fn refused(refusal: Refusal) -> WriteFailure {
    WriteFailure::Refused(refusal.into())
}
