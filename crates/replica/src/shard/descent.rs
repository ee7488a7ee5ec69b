//! Where a state comes from: the replicas that started empty, of whose states it is made.
//!
//! What a retired replica wrote is in no clock: whoever has the state has it. That goes for states that come from the
//! same founders. A replica that was let start empty while the holders of an older state could not be reached has nothing
//! of that state, and its clock does not show it when they come back. So whoever meets a peer whose state has a founder
//! that its own lacks takes the peer's state as a joining replica would, and until then neither takes the other's silence
//! for knowledge.

use crate::shard::{ProtocolError, Shard, Stage};
use crate::{MemberPhase, ReplicaId, VersionVector};

/// Replicas that started empty, in order. One, unless all holders of a state were lost from sight and came back.
pub(super) type Founders = Vec<ReplicaId>;

/// Most founders of one state. Each is a time when all holders were out of sight for long and came back; a peer that names
/// ever new ones must not fill the memory, nor the messages of all who believe it.
const MAX_FOUNDERS: usize = 4_096;

/// Whether a state of these founders has all that one of the others had when it came to be.
pub(super) fn includes(founders: &[ReplicaId], others: &[ReplicaId]) -> bool {
    others.iter().all(|other| founders.binary_search(other).is_ok())
}

// === impl Shard ===

impl Shard {
    /// The replicas that started empty, of whose states this one is made, by id.
    pub fn founders(&self) -> &[ReplicaId] {
        &self.founders
    }

    /// Refuses a state of more founders than there can be.
    pub(super) fn refuse_founders(&self, from: ReplicaId, founders: &[ReplicaId]) -> Result<(), ProtocolError> {
        let news = founders.iter().filter(|founder| self.founders.binary_search(founder).is_err()).count();
        if self.founders.len() + news > MAX_FOUNDERS { Err(ProtocolError::TooManyFounders(from)) } else { Ok(()) }
    }

    /// A state of these founders was taken in.
    pub(super) fn descend_from(&mut self, founders: &[ReplicaId]) {
        if includes(&self.founders, founders) {
            return;
        }
        self.founders.extend(founders);
        self.founders.sort_unstable();
        self.founders.dedup();
        // Who lacks any of it has not acknowledged that.
        for peer in self.peers.values_mut().filter(|peer| !includes(&peer.founders, &self.founders)) {
            peer.counted = VersionVector::new();
            peer.vouches = false;
        }
    }

    /// Takes in the state of a linked peer that comes from elsewhere too, if nothing else is being taken in.
    pub(super) fn seek_descent(&mut self) {
        if !matches!(self.stage, Stage::Live) || self.incoming.is_some() {
            return;
        }
        let stranger = self.strangers().next();
        if let Some(peer) = stranger {
            self.fetch_from(peer);
        }
    }

    /// Linked members whose states have founders that this one lacks.
    pub(super) fn strangers(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        let is_stranger = |id: &ReplicaId| {
            let state = self.peers.get(id).filter(|peer| peer.link.is_some());
            state.is_some_and(|peer| !includes(&self.founders, &peer.founders))
        };
        let linked = self.roster.members().filter(|(_, peer)| peer.linked && peer.phase != MemberPhase::Joining);
        linked.map(|(id, _)| id).filter(is_stranger)
    }

    /// Whether a peer's state and this one are made of the same.
    pub(super) fn is_kin(&self, peer: ReplicaId) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.founders == self.founders)
    }
}
