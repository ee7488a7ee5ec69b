//! Profiles with much to say: values far beyond what a message has room for, and many long keys that are alike, of which a
//! message repeats little and a receiver unpacks much.

use super::{Profile, Weights};
use crate::rng::Rng;

/// Of a thousand seeds, those with large values, and those with many keys: each takes as long as a hundred others.
const LARGE: u64 = 8;
const MANY: u64 = 4;

/// Keys and fields are 1 KiB at most.
const LONGEST: usize = 1_000;

// === impl Profile ===

impl Profile {
    /// Makes some profiles larger. A scene is played as it was built.
    pub(crate) fn enlarge(&mut self, rng: &mut Rng) {
        let choice = rng.below(1_000);
        if self.scene.is_some() || self.weights.corrupt > 0 {
            return;
        }
        if choice < LARGE {
            self.value = rng.pick(&[100_000, 100_000, 300_000, 1 << 20]);
            self.actions = self.actions.min(60);
            self.check_every = 16;
        } else if choice < LARGE + MANY {
            self.crowd(rng);
        }
    }

    /// Batches fill a group, and others join it.
    fn crowd(&mut self, rng: &mut Rng) {
        (self.alike, self.keys, self.batch) = (rng.pick(&[LONGEST, LONGEST, 100]), rng.within(160, 240), 48);
        (self.pods, self.shards, self.keepers, self.actions, self.check_every) = (2, 1, 0, 60, 16);
        (self.value, self.held) = (rng.pick(&[8, 100]), false);
        for limits in &mut self.limits {
            (limits.max_slots, limits.batch_bytes) = (rng.pick(&[64, 1_000]), rng.pick(&[4_096, 65_536]));
        }
        let w = Weights::NONE;
        let (put, delete, batch, start) = (5, 2, 30, rng.pick(&[3, 6]));
        let (cut, crash, lose, terminate) = (2, rng.pick(&[0, 3]), rng.pick(&[0, 2]), rng.pick(&[0, 2]));
        let (stop, push) = (terminate, 2);
        self.weights = Weights { put, delete, batch, start, cut, crash, lose, terminate, stop, push, ..w };
    }
}
