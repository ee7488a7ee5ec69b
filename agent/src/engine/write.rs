//! Writes: checked, made on this replica, and acknowledged by others as far as the client asks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_replica::{
    AckLevel, Answer, Condition, Done, Dot, Effects, Key, Operation, Settings, Shard, Tag, TooFewMembers, Wake,
    WriteError,
};

use crate::engine::limit::Place;
use crate::engine::{Engine, LimitError, Precondition, Unmet, count, wall_millis};

/// How long a write waits for acknowledgements. A peer that is up answers within milliseconds; one that is not is
/// found out by its heartbeats within this.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// One operation on one key, as a client asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) key: Key,
    /// What must hold of the key.
    pub(crate) precondition: Precondition,
    pub(crate) operation: Operation,
    /// `None` means the map's default, or the group's.
    pub(crate) acks: Option<AckLevel>,
}

/// A write that was acknowledged as asked; if there was nothing to write, what made it so was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The tag of what is there now; `None` if nothing is.
    pub(crate) tag: Option<Tag>,
    /// Whether the key had a value before.
    pub(crate) existed: bool,
    /// Whether anything was written.
    pub(crate) written: bool,
    /// What the operation answers.
    pub(crate) answer: Answer,
    /// How many other members have applied it, at least.
    pub(crate) acks: u32,
}

/// A write that did not end as asked; each says what happened to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteFailure {
    /// Not made.
    #[error(transparent)]
    Refused(#[from] WriteError),
    /// Not made: the key is not as the client asks.
    #[error(transparent)]
    Unmet(#[from] Unmet),
    /// Not made.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Not made: fewer members than acknowledgements asked for.
    #[error(transparent)]
    TooFewMembers(#[from] TooFewMembers),
    /// Made here, and it goes on replicating.
    #[error("{got} of {asked} acknowledgements came in time; the write is kept here and replicates on")]
    Unacknowledged { tag: Option<Tag>, asked: u32, got: u32 },
}

/// An operation that was done here.
pub(super) struct Made {
    pub(super) done: Done,
    /// The tag of what is there now.
    pub(super) tag: Option<Tag>,
    /// If there was nothing to write: the writes that made it so and have not the acknowledgements that are asked for.
    pub(super) there: Vec<Dot>,
}

/// What an operation leaves, as far as its kind says.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    /// Its own version alone.
    OwnVersion,
    Nothing,
    /// Versions that have to be looked at.
    Versions,
}

// === impl Engine ===

impl Engine {
    /// Makes one write, and waits for its acknowledgements.
    pub(crate) async fn write(&self, write: Write) -> Result<Stored, WriteFailure> {
        let (began, name) = (Instant::now(), count::name(&write.operation));
        let result = self.write_acknowledged(write).await;
        self.counts.wrote(name, result.as_ref().err(), began);
        result
    }

    async fn write_acknowledged(&self, write: Write) -> Result<Stored, WriteFailure> {
        let settings = self.settings();
        let index = self.shard_of(&write.key);
        let wanted = self.wanted_acks(index, &write.key, &settings, write.acks)?;
        let mut result = Err(WriteFailure::Refused(WriteError::Joining));
        self.with_shard(index, None, |shard| {
            result = self.write_here(shard, write, &settings, wanted);
            effects_of(result.as_ref().is_ok_and(|made| made.done.dot.is_some()))
        });
        let Made { done: Done { dot, existed, answer }, tag, there } = result?;
        let acks = self.wait_for_all(index, dot, &there, wanted).await;
        if acks < wanted {
            return Err(WriteFailure::Unacknowledged { tag, asked: wanted, got: acks });
        }
        Ok(Stored { tag, existed, written: dot.is_some(), answer, acks })
    }

    /// What is there of a key is told to be there: it waits for the acknowledgements of a write.
    pub(crate) async fn vouch(&self, key: &Key, acks: Option<AckLevel>) -> Result<Stored, WriteFailure> {
        let index = self.shard_of(key);
        let wanted = self.wanted_acks(index, key, &self.settings(), acks)?;
        let (tag, there) = self.inspect(index, |shard| {
            let read = shard.get(key, wall_millis())?;
            Ok::<_, WriteError>((read.map(|read| read.tag), shard.unacknowledged(key, wanted)))
        })?;
        let acks = self.wait_for_all(index, None, &there, wanted).await;
        if acks < wanted {
            return Err(WriteFailure::Unacknowledged { tag, asked: wanted, got: acks });
        }
        Ok(Stored { tag, existed: true, written: false, answer: Answer::Nothing, acks })
    }

    /// Deletes a key with all of its fields, and says how many values there were. More than a batch holds are deleted
    /// batch by batch.
    pub(crate) async fn clear(&self, key: &Key, acks: Option<AckLevel>) -> Result<usize, WriteFailure> {
        let began = Instant::now();
        let result = self.clear_acknowledged(key, acks).await;
        self.counts.wrote("clear", result.as_ref().err(), began);
        result
    }

    async fn clear_acknowledged(&self, key: &Key, acks: Option<AckLevel>) -> Result<usize, WriteFailure> {
        let index = self.shard_of(key);
        let wanted = self.wanted_acks(index, key, &self.settings(), acks)?;
        let (mut deleted, mut last, mut more) = (0, None, true);
        while more {
            let mut result = Err(WriteError::Joining);
            self.with_shard(index, None, |shard| {
                result = shard.delete_with_fields(key, &Condition::Always, wall_millis());
                effects_of(result.as_ref().is_ok_and(|cleared| cleared.deleted > 0))
            });
            let cleared = result?;
            deleted += cleared.deleted;
            last = cleared.last.or(last);
            more = cleared.more;
        }
        let Some(dot) = last else { return Ok(0) };
        let acks = self.wait_for_acks(index, dot, wanted).await;
        if acks < wanted {
            return Err(WriteFailure::Unacknowledged { tag: None, asked: wanted, got: acks });
        }
        Ok(deleted)
    }

    fn write_here(
        &self,
        shard: &mut Shard,
        write: Write,
        settings: &Settings,
        wanted: u32,
    ) -> Result<Made, WriteFailure> {
        let Write { key, precondition, operation, .. } = write;
        let now = wall_millis();
        let condition = self.admit(shard, &key, &precondition, now)?;
        let place = Place { settings, usage: &self.usage, shard, now };
        self.limits.check(&place, None, &key, &operation)?;
        let after = After::of(&operation);
        let done = shard.write_one(&key, &condition, operation, now)?;
        Ok(after.of_key(shard, &key, done, wanted, now))
    }

    /// The condition that is left for the shard to check.
    pub(super) fn admit(
        &self,
        shard: &Shard,
        key: &Key,
        precondition: &Precondition,
        now: u64,
    ) -> Result<Condition, WriteFailure> {
        if let Some(condition) = precondition.simple() {
            return Ok(condition);
        }
        precondition.check(shard.get(key, now)?.as_ref())?;
        Ok(Condition::Always)
    }

    /// The group's settings, or the defaults before the first member list.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.read().clone()
    }

    /// How many acknowledgements the write waits for.
    pub(super) fn wanted_acks(
        &self,
        index: usize,
        key: &Key,
        settings: &Settings,
        acks: Option<AckLevel>,
    ) -> Result<u32, WriteFailure> {
        let level = acks.unwrap_or_else(|| settings.write_acks_of(key.map()));
        Ok(self.shards[index].shard.lock().admit(level, settings.accept_when_alone)?)
    }

    /// Waits for the acknowledgements of what was made and of what was there, and says how many the one with the fewest
    /// has.
    pub(super) async fn wait_for_all(&self, index: usize, made: Option<Dot>, there: &[Dot], wanted: u32) -> u32 {
        if wanted == 0 {
            return 0;
        }
        let (deadline, mut least) = (Self::ack_deadline(), None);
        for dot in made.as_ref().into_iter().chain(there) {
            let acks = self.wait_for_acks_until(index, *dot, wanted, deadline).await;
            least = Some(least.unwrap_or(acks).min(acks));
        }
        least.unwrap_or(wanted)
    }

    pub(super) async fn wait_for_acks(&self, index: usize, dot: Dot, wanted: u32) -> u32 {
        if wanted == 0 {
            return 0;
        }
        self.wait_for_acks_until(index, dot, wanted, Self::ack_deadline()).await
    }

    /// Until when a write that is made now waits.
    pub(super) fn ack_deadline() -> tokio::time::Instant {
        tokio::time::Instant::now() + ACK_TIMEOUT
    }

    pub(super) async fn wait_for_acks_until(
        &self,
        index: usize,
        dot: Dot,
        wanted: u32,
        deadline: tokio::time::Instant,
    ) -> u32 {
        let count = || self.inspect(index, |shard| shard.acknowledgements(dot));
        loop {
            let signal = self.shards[index].acknowledged.notified();
            tokio::pin!(signal);
            signal.as_mut().enable();
            let acks = count();
            if acks >= wanted || tokio::time::timeout_at(deadline, signal).await.is_err() {
                return acks;
            }
        }
    }
}

// === impl After ===

impl After {
    pub(super) const fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Put { .. } | Operation::Init { .. } | Operation::Touch { .. } => Self::OwnVersion,
            Operation::Delete | Operation::Take => Self::Nothing,
            Operation::Increment(_) | Operation::Claim | Operation::Release | Operation::Confirm => Self::Versions,
        }
    }

    /// What an operation has made of a key.
    pub(super) fn of_key(self, shard: &Shard, key: &Key, done: Done, wanted: u32, now: u64) -> Made {
        let tag = self.tag(shard, key, done.dot, now);
        let there = if done.dot.is_none() { shard.unacknowledged(key, wanted) } else { Vec::new() };
        Made { done, tag, there }
    }

    /// The tag of what is there now. `dot` is the operation's write, if it made one.
    fn tag(self, shard: &Shard, key: &Key, dot: Option<Dot>, now: u64) -> Option<Tag> {
        match (self, dot) {
            (Self::OwnVersion, Some(dot)) => Some(Tag::of_dot(dot)),
            (Self::Nothing, _) => None,
            (Self::OwnVersion | Self::Versions, _) => shard.get(key, now).ok()?.map(|read| read.tag),
        }
    }
}

pub(super) const fn effects_of(written: bool) -> Effects {
    let wake = if written { Wake::All } else { Wake::Nobody };
    Effects { wake, acknowledged: false, bootstrapped: false }
}
