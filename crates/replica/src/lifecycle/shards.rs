//! The shards of one process as a whole, however it keeps them.

use std::collections::BTreeSet;

use crate::{Handover, Need, Progress, ReplicaId, Shard, VersionVector};

/// All shards of a process.
pub trait Shards {
    /// How many there are.
    fn count(&self) -> usize;

    /// Looks at one of them.
    fn look_at<R>(&self, index: usize, look: impl FnOnce(&Shard) -> R) -> R;

    /// Whether every shard holds the state.
    fn hold_state(&self) -> bool {
        (0..self.count()).all(|index| self.look_at(index, |shard| !shard.is_joining()))
    }

    /// How many keys are to be issued again.
    fn inherited(&self) -> usize {
        (0..self.count()).map(|index| self.look_at(index, Shard::inherited)).sum()
    }

    /// Every shard's clock.
    fn clocks(&self) -> Vec<VersionVector> {
        (0..self.count()).map(|index| self.look_at(index, |shard| shard.clock().clone())).collect()
    }

    /// How far all up to some clocks, one a shard, is handed off: as far as that of the slowest. Each shard may have
    /// survivors of its own.
    fn progress(&self, clocks: &[VersionVector], need: Need) -> Progress {
        if (0..self.count()).all(|index| self.look_at(index, Shard::holds_nothing)) {
            return Progress::Nothing;
        }
        let covered = |(index, clock)| self.look_at(index, |shard| shard.coverage(clock, need).covered);
        if clocks.iter().enumerate().all(covered) { Progress::Covered } else { Progress::Uncovered }
    }

    /// The survivors that cover all up to some clocks in every shard, by id.
    fn covering(&self, clocks: &[VersionVector], need: Need) -> Vec<ReplicaId> {
        let covering = |(index, clock): (usize, &VersionVector)| -> BTreeSet<ReplicaId> {
            let survivors = self.look_at(index, |shard| shard.coverage(clock, need)).survivors;
            survivors.into_iter().filter(|survivor| survivor.covers).map(|survivor| survivor.replica).collect()
        };
        let everywhere = clocks.iter().enumerate().map(covering).reduce(|all, here| &all & &here);
        everywhere.unwrap_or_default().into_iter().collect()
    }

    /// What this process's keys wait for, if it leaves.
    fn handover(&self) -> Handover {
        let shards = (0..self.count()).map(|index| self.look_at(index, Shard::handover));
        shards.fold(Handover::default(), Handover::and)
    }

    /// How many keys hold a write that no single survivor has acknowledged. Looks at every key.
    fn keys_not_covered(&self) -> u64 {
        (0..self.count()).map(|index| self.look_at(index, Shard::keys_not_covered)).sum()
    }
}

impl Shards for Vec<Shard> {
    fn count(&self) -> usize {
        self.len()
    }

    fn look_at<R>(&self, index: usize, look: impl FnOnce(&Shard) -> R) -> R {
        look(&self[index])
    }
}
