//! How far something is handed off, and how that ends.

use super::Lifecycle;
use crate::{Handover, Shards, Surroundings};

/// How a departure ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Survivors cover everything.
    Acknowledged,
    /// Time ran out before they did.
    Failed,
    /// There was nothing to hand off.
    Nothing,
}

/// How far something is handed off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is nothing in it.
    Nothing,
    /// Survivors do not cover it yet.
    Uncovered,
    /// They do.
    Covered,
}

// === impl Outcome ===

impl Outcome {
    /// Whether nothing was left behind.
    pub const fn is_safe(self) -> bool {
        !matches!(self, Self::Failed)
    }
}

impl From<Progress> for Outcome {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Nothing => Self::Nothing,
            Progress::Uncovered => Self::Failed,
            Progress::Covered => Self::Acknowledged,
        }
    }
}

// === impl Progress ===

impl Progress {
    /// The same, but not before what this replica owned is handed over as far as the group asks.
    pub(super) const fn and_handed_over(self, handed_over: bool) -> Self {
        match self {
            Self::Covered if !handed_over => Self::Uncovered,
            Self::Nothing | Self::Uncovered | Self::Covered => self,
        }
    }
}

// === impl Lifecycle ===

impl Lifecycle {
    /// How far the watermark, and everything, is handed off. The hold waits for new owners too; who exits has said what
    /// it can, and they go on choosing without it.
    pub(super) fn measure(&self, around: &Surroundings<'_>, shards: &impl Shards) -> (Progress, Progress) {
        let everything = shards.progress(&shards.clocks(), around.need);
        let watermark =
            self.watermark.as_ref().map_or(Progress::Uncovered, |clocks| shards.progress(clocks, around.need));
        let handed_over = shards.handover().awaited(around.completion) == Handover::default();
        (watermark.and_handed_over(handed_over), everything)
    }
}
