//! Writes: checked, made on this replica, and acknowledged by others as far as the client asks.

use std::time::Duration;

use baton_replica::{
    AckLevel, Condition, Dot, Effects, Key, Settings, Tag, TooFewMembers, Value, Wake, WriteError, Written,
};
use tokio::time::Instant;

use crate::engine::{Engine, LimitError, wall_millis};

/// How long a write waits for acknowledgements. A peer that is up answers within milliseconds; one that is not is
/// found out by its heartbeats within this.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// A write that was made, and acknowledged as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The tag of the new value.
    pub(crate) tag: Tag,
    /// Whether the key had a value before.
    pub(crate) existed: bool,
    /// How many other members have applied it.
    pub(crate) acks: u32,
}

/// A write that did not end as asked; each says what happened to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteFailure {
    /// Not made.
    #[error(transparent)]
    Refused(#[from] WriteError),
    /// Not made.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Not made: fewer members than acknowledgements asked for.
    #[error(transparent)]
    TooFewMembers(#[from] TooFewMembers),
    /// Made here, and it goes on replicating.
    #[error("{got} of {asked} acknowledgements came in time; the write is kept here and replicates on")]
    Unacknowledged { tag: Tag, asked: u32, got: u32 },
}

// === impl Engine ===

impl Engine {
    /// Puts a value. `acks` of `None` means the map's default, or the group's.
    pub(crate) async fn put(
        &self,
        key: &Key,
        value: Value,
        condition: &Condition,
        acks: Option<AckLevel>,
    ) -> Result<Stored, WriteFailure> {
        let settings = self.settings();
        let index = self.shard_of(key);
        let wanted = self.wanted_acks(index, key, &settings, acks)?;
        let mut result = Err(WriteFailure::Refused(WriteError::Joining));
        self.with_shard(index, None, |shard| {
            let now = wall_millis();
            let replaced = shard.size(key, now).map(|bytes| bytes as u64);
            result = match self.limits.check(&settings, &self.usage, key, &value, replaced) {
                Ok(()) => shard.put(key, value, condition, now).map_err(WriteFailure::from),
                Err(error) => Err(error.into()),
            };
            effects_of(result.is_ok())
        });
        self.acknowledged(index, result?, wanted).await
    }

    /// Deletes a value; `None` if there was none.
    pub(crate) async fn delete(
        &self,
        key: &Key,
        condition: &Condition,
        acks: Option<AckLevel>,
    ) -> Result<Option<Stored>, WriteFailure> {
        let index = self.shard_of(key);
        let wanted = self.wanted_acks(index, key, &self.settings(), acks)?;
        let mut result = Err(WriteError::Joining);
        self.with_shard(index, None, |shard| {
            result = shard.delete(key, condition, wall_millis());
            effects_of(matches!(result, Ok(Some(_))))
        });
        match result? {
            Some(written) => self.acknowledged(index, written, wanted).await.map(Some),
            None => Ok(None),
        }
    }

    /// The group's settings, or the defaults before the first member list.
    pub(crate) fn settings(&self) -> Settings {
        self.membership.borrow().as_ref().map(|list| list.settings.clone()).unwrap_or_default()
    }

    /// How many acknowledgements the write waits for.
    fn wanted_acks(
        &self,
        index: usize,
        key: &Key,
        settings: &Settings,
        acks: Option<AckLevel>,
    ) -> Result<u32, WriteFailure> {
        let level = acks.unwrap_or_else(|| settings.write_acks_of(key.map()));
        Ok(self.shards[index].shard.lock().admit(level, settings.accept_when_alone)?)
    }

    /// A write that was made waits for its acknowledgements.
    async fn acknowledged(&self, index: usize, written: Written, wanted: u32) -> Result<Stored, WriteFailure> {
        let Written { dot, existed } = written;
        let tag = Tag::of_dot(dot);
        let acks = self.wait_for_acks(index, dot, wanted).await;
        if acks < wanted {
            return Err(WriteFailure::Unacknowledged { tag, asked: wanted, got: acks });
        }
        Ok(Stored { tag, existed, acks })
    }

    async fn wait_for_acks(&self, index: usize, dot: Dot, wanted: u32) -> u32 {
        let count = || self.inspect(index, |shard| shard.acknowledgements(dot));
        if wanted == 0 {
            return 0;
        }
        let deadline = Instant::now() + ACK_TIMEOUT;
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

const fn effects_of(written: bool) -> Effects {
    let wake = if written { Wake::All } else { Wake::Nobody };
    Effects { wake, acknowledged: false, bootstrapped: false }
}
