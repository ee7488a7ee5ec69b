//! What one replica knows about the other members: the list, what they said of themselves, who is linked.

use std::collections::BTreeMap;

use crate::mutant::{Mutant, active};
use crate::{MemberPhase, Membership, ReplicaId};

/// One other member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The furthest phase heard of, from the list or from the member itself.
    pub phase: MemberPhase,
    /// Whether a link to it is up.
    pub linked: bool,
}

/// All other members and this replica's own departure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    me: ReplicaId,
    leaving: bool,
    peers: BTreeMap<ReplicaId, Peer>,
}

// === impl Roster ===

impl Roster {
    /// A roster that knows nobody.
    pub const fn new(me: ReplicaId) -> Self {
        Self { me, leaving: false, peers: BTreeMap::new() }
    }

    /// The replica whose roster this is.
    pub const fn me(&self) -> ReplicaId {
        self.me
    }

    /// Whether this replica is leaving.
    pub const fn leaving(&self) -> bool {
        self.leaving
    }

    /// This replica leaves; there is no way back.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// Takes a newer list. Phases only go forward, so an old list does no harm; ids that a list does not name stay as
    /// they were, since only the operator's retirement may forget them.
    pub fn take(&mut self, membership: &Membership) {
        for member in &membership.members {
            if member.replica != self.me {
                self.advance(member.replica, member.phase);
            }
        }
    }

    /// Takes what another view of the same replica knows. Phases and the departure only go forward, so the order in
    /// which views arrive does not matter.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.leaving |= other.leaving;
        for (replica, peer) in &other.peers {
            self.advance(*replica, peer.phase);
            self.set_linked(*replica, peer.linked);
        }
    }

    /// A peer said of itself how far it is. Says nothing about ids that are not listed.
    pub fn heard(&mut self, replica: ReplicaId, phase: MemberPhase) {
        if self.peers.contains_key(&replica) {
            self.advance(replica, phase);
        }
    }

    /// A link came up or went down.
    pub fn set_linked(&mut self, replica: ReplicaId, linked: bool) {
        if let Some(peer) = self.peers.get_mut(&replica) {
            peer.linked = linked;
        }
    }

    /// A listed peer.
    pub fn peer(&self, replica: ReplicaId) -> Option<Peer> {
        self.peers.get(&replica).copied()
    }

    /// Listed peers that are not Gone, by id.
    pub fn members(&self) -> impl Iterator<Item = (ReplicaId, Peer)> + '_ {
        self.peers.iter().map(|(id, peer)| (*id, *peer)).filter(|(_, peer)| peer.phase != MemberPhase::Gone)
    }

    /// Members that are Active and not leaving: whose acknowledgement counts.
    pub fn survivors(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        let stays = |phase| {
            phase == MemberPhase::Active || (phase == MemberPhase::Leaving && active(Mutant::LeavingPeerCounted))
        };
        self.members().filter(move |(_, peer)| stays(peer.phase)).map(|(id, _)| id)
    }

    /// Linked members that hold the state, those that stay first.
    pub fn holders(&self) -> Vec<ReplicaId> {
        let linked =
            |phase| self.members().filter(move |(_, peer)| peer.linked && peer.phase == phase).map(|(id, _)| id);
        let active: Vec<ReplicaId> = linked(MemberPhase::Active).collect();
        if active.is_empty() { linked(MemberPhase::Leaving).collect() } else { active }
    }

    /// Whether a peer is linked.
    pub fn linked(&self, replica: ReplicaId) -> bool {
        self.peer(replica).is_some_and(|peer| peer.linked)
    }

    /// Whether a peer is known to be leaving.
    pub fn is_leaving(&self, replica: ReplicaId) -> bool {
        self.peer(replica).is_some_and(|peer| peer.phase == MemberPhase::Leaving)
    }

    fn advance(&mut self, replica: ReplicaId, phase: MemberPhase) {
        let peer = self.peers.entry(replica).or_insert(Peer { phase, linked: false });
        peer.phase = peer.phase.max(phase);
    }
}
