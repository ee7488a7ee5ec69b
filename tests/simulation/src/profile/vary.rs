//! What some runs have besides: drawn apart, so that all others mean what they would without it.

use super::Profile;
use crate::rng::Rng;

// === impl Profile ===

impl Profile {
    /// A scene is played as it was built, and where entries are lost on their way nothing else is.
    pub(crate) fn vary(&mut self, rng: &mut Rng) {
        let (behind, mixed) = (rng.chance(300), rng.chance(300));
        let (slow, clear) = (rng.pick(&[0, 0, 0, 0, 2]), rng.pick(&[0, 0, 0, 4]));
        if self.scene.is_none() && self.weights.corrupt == 0 {
            (self.behind, self.mixed, self.weights.slow, self.weights.clear) = (behind, mixed, slow, clear);
        }
    }

    /// How far off a wall clock is that may be so far off.
    pub(crate) const fn off(&self, millis: u64) -> i64 {
        let ahead = millis as i64;
        if self.behind && millis % 2 == 1 { -ahead } else { ahead }
    }
}
