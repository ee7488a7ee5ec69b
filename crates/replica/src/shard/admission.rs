//! Whether a write may be made at all, and how many members must have applied it before it is answered.

use crate::AckLevel;
use crate::mutant::{Mutant, active};
use crate::shard::Shard;

/// A write that was not made: fewer members count than it asks for acknowledgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{asked} acknowledgements were asked for, and there are {members} other members")]
pub struct TooFewMembers {
    /// Acknowledgements that would be needed.
    pub asked: u32,
    /// Other members whose acknowledgement counts.
    pub members: u32,
}

// === impl Shard ===

impl Shard {
    /// How many acknowledgements a write of a level is to wait for; to be called before the write is made, so that
    /// everybody who ever hands the write off knows how many holders it was promised. `alone` says whether writes are
    /// accepted while no other member counts.
    ///
    /// What a leaving replica accepts must outlive it: such a write waits for one acknowledgement at least, if anybody
    /// can give it.
    pub fn admit(&mut self, level: AckLevel, alone: bool) -> Result<u32, TooFewMembers> {
        let members = self.members_that_count();
        if members == 0 && (alone || active(Mutant::AloneIsAccepted)) {
            return Ok(0);
        }
        let is_leaving = self.is_leaving() && !active(Mutant::TailForgetsAcks);
        let asked = level.count(members).max(u32::from(is_leaving));
        if members == 0 || asked > members {
            return Err(TooFewMembers { asked: asked.max(1), members });
        }
        self.level = self.level.max(asked);
        Ok(asked)
    }
}
