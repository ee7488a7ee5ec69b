//! What a receipt says of a departure.

use super::{Lifecycle, Outcome};
use crate::{Handover, Progress, ReplicaId, Shards, Surroundings};

/// What part of a departure a receipt is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has begun.
    Started,
    /// The hook has returned.
    Hook,
    /// The process ends.
    Sealed,
}

/// How a part of a departure went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Which part.
    pub stage: Stage,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether survivors cover what it answers for, each shard's perhaps others.
    pub covered: bool,
    /// The survivors that cover it in every shard, by id.
    pub survivors: Vec<ReplicaId>,
    /// If it failed: how many keys hold a write that no single survivor has acknowledged.
    pub keys_not_covered: u64,
    /// What the group asks this process to wait for, beyond that.
    pub handover: Handover,
    /// Whether a person gave the departure up.
    pub released: bool,
    /// How long the hook was held; 0 if it was not, or is.
    pub held_millis: u64,
    /// How long the seal took; 0 if there was none, or it lasts.
    pub tail_millis: u64,
}

// === impl Lifecycle ===

impl Lifecycle {
    /// How a part of the departure went. The hook answers for its watermark, writes may have come since; all else for
    /// everything.
    pub fn account(&self, stage: Stage, outcome: Outcome, around: &Surroundings<'_>, shards: &impl Shards) -> Account {
        let watermark = self.watermark.clone().filter(|_| stage == Stage::Hook);
        let clocks = watermark.unwrap_or_else(|| shards.clocks());
        Account {
            stage,
            outcome,
            covered: shards.progress(&clocks, around.need) == Progress::Covered,
            survivors: shards.covering(&clocks, around.need),
            keys_not_covered: if outcome == Outcome::Failed { shards.keys_not_covered() } else { 0 },
            handover: shards.handover().awaited(around.completion),
            released: self.released(),
            held_millis: self.held_millis().unwrap_or(0),
            tail_millis: self.tail_millis().unwrap_or(0),
        }
    }
}
