//! Fencing tokens: along the owners of a key they only grow.

use crate::mutant::{Mutant, active};
use crate::shard::Shard;
use crate::{Hlc, Owner};

/// A greater token says nothing but of the key that bears it: no clock gives such a time before the year 4199. One that
/// a broken peer has made up must not leave all other keys without greater ones.
const MAX_NOTED: u64 = 1 << 62;

// === impl Shard ===

impl Shard {
    /// Takes note of a token that was given.
    pub(super) fn note_token(&mut self, token: u64) {
        if token <= MAX_NOTED {
            self.tokens = self.tokens.max(token);
        }
    }

    /// Gives a token to a new owner of a key, in the place of this one: above all that this shard has seen. `None` if
    /// there is no greater one.
    pub(super) fn take_token(&mut self, hlc: Hlc, before: Option<&Owner>) -> Option<u64> {
        let seen = self.tokens.max(before.map_or(0, |owner| owner.token));
        let greater = hlc.bits().max(seen.checked_add(1)?);
        let token = if active(Mutant::TokenReused) { hlc.bits() } else { greater };
        self.note_token(token);
        Some(token)
    }
}
