//! Whether replicas that must hold the same do, and what is done when they do not.

use crate::mutant::{Mutant, active};
use crate::shard::{Effects, Shard, Stage, Wake};
use crate::{Digest, Dot, Entry, Key, ReplicaId};

// === impl Shard ===

impl Shard {
    /// What the state sums up to, if that can be compared at all: not while anything is held above the clock, and not
    /// while a transfer is under way.
    pub fn digest(&self) -> Option<Digest> {
        let sending = self.peers.values().filter_map(|peer| peer.link.as_ref()).any(|link| link.outgoing.is_some());
        let is_whole = !self.store.has_exceptions() || active(Mutant::DigestOverExceptions);
        let comparable = matches!(self.stage, Stage::Live) && self.incoming.is_none() && !sending && is_whole;
        let membership = self.roster.version().filter(|_| comparable)?.clone();
        Some(Digest { membership, clock: self.clock.clone(), sum: self.store.sum() })
    }

    /// How often a peer that had seen the same held something else: a bug or a corruption, each time.
    pub const fn digest_mismatches(&self) -> u64 {
        self.mismatches
    }

    /// A peer says what its state sums up to. If that differs while all that has been seen is the same, everything that
    /// the peer holds is fetched and added.
    pub(super) fn handle_digest(&mut self, from: ReplicaId, theirs: &Digest) -> Effects {
        let differs = |mine: &Digest| {
            let same_clock = mine.clock == theirs.clock || active(Mutant::DigestAcrossClocks);
            let seen_the_same = mine.membership == theirs.membership && same_clock;
            seen_the_same && mine.sum != theirs.sum && !active(Mutant::DigestsAgree)
        };
        let Some(mine) = self.digest().filter(|_| self.is_kin(from)).filter(differs) else { return Effects::default() };
        self.mismatches += 1;
        // Either side may be the one that lacks something. Once the transfer is asked for, nothing can be compared.
        if let Some(link) = self.link(from) {
            link.contradicts = Some(mine);
        }
        self.repair_from(from);
        Effects::wake(Wake::Sender)
    }

    /// Adds what a peer holds unless this replica knows that it was superseded, whatever the clock says. That something
    /// is absent there is no evidence of anything.
    pub(super) fn repair_entry(&mut self, key: &Key, entry: Entry) {
        let Self { clock, roster, store, .. } = self;
        let seen = |dot: Dot| clock.covers(dot) || !roster.lists(dot.replica);
        let known = |dot: Dot| active(Mutant::RepairByClock) && seen(dot);
        let (id, ()) = store.change(key, 0, seen, |mine| mine.join(entry, known, |_| false));
        if let Some(id) = id {
            self.unpurged.look_at(id);
            self.look_at_owner(key);
        }
    }
}
