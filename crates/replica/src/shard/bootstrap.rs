//! How a shard gets what it lacks: the whole state when it joins, single origins when their replica cannot send.

use crate::mutant::{Mutant, active};
use crate::shard::{Effects, Shard, Stage, Wake};
use crate::{MemberPhase, ReplicaId};

// === impl Shard ===

impl Shard {
    /// The membership's source granted this replica to start without state.
    pub fn start_empty(&mut self) -> Effects {
        if !matches!(self.stage, Stage::Joining) {
            return Effects::default();
        }
        self.stage = Stage::Live;
        self.incoming = None;
        self.founders = vec![self.me()];
        self.find_exceptions();
        self.renew_succession();
        self.settle_what_is_heard();
        self.announce_everything();
        Effects { wake: Wake::All, acknowledged: false, bootstrapped: true }
    }

    /// Whether the shard has applied everything that its linked peers were known to hold.
    pub fn lacks_nothing_known(&self) -> bool {
        let known = |id: &ReplicaId| self.peers.get(id).is_none_or(|peer| self.clock.covers_all(&peer.acked));
        !self.is_joining()
            && self.strangers().next().is_none()
            && self.roster.members().filter(|(_, peer)| peer.linked).all(|(id, _)| known(&id))
    }

    /// Whether a shard that has state must take all of it again from a peer, because it fell behind the window.
    pub const fn is_rejoining(&self) -> bool {
        matches!(self.stage, Stage::Live) && self.incoming.is_some()
    }

    /// A joining shard asks a linked member that holds the state; shards spread over the members.
    pub(super) fn seek_source(&mut self) {
        if !matches!(self.stage, Stage::Joining) || self.incoming.is_some() {
            return;
        }
        let mut holders = self.roster.holders();
        holders
            .retain(|id| self.peers.get(id).and_then(|peer| peer.link.as_ref()).is_some_and(|link| !link.has_no_state));
        if let Some(source) = holders.get(self.index % holders.len().max(1)) {
            self.fetch_from(*source);
        }
    }

    /// Asks for origins that cannot send their writes themselves, from linked peers that have more of them. Says whether
    /// there is anything to ask for.
    pub(super) fn want_pulls(&mut self) -> bool {
        if !matches!(self.stage, Stage::Live) || active(Mutant::GapsOfTheDeadStay) {
            return false;
        }
        let me = self.me();
        let mut wanted: Vec<(ReplicaId, ReplicaId)> = Vec::new();
        for (peer, state) in self.peers.iter().filter(|(_, state)| state.link.is_some()) {
            for (origin, counter) in state.acked.iter() {
                let sends = origin == *peer || self.sends_itself(origin);
                if origin != me
                    && !sends
                    && self.roster.lists(origin)
                    && counter > self.clock.get(origin)
                    && !self.is_asked_for(origin)
                {
                    wanted.push((*peer, origin));
                }
            }
        }
        let any = !wanted.is_empty();
        for (peer, origin) in wanted {
            if self.is_asked_for(origin) {
                continue;
            }
            if let Some(link) = self.link(peer) {
                link.to_ask.insert(origin);
            }
        }
        any
    }

    fn sends_itself(&self, origin: ReplicaId) -> bool {
        self.roster.peer(origin).is_some_and(|peer| peer.linked && peer.phase != MemberPhase::Gone)
    }

    fn is_asked_for(&self, origin: ReplicaId) -> bool {
        let mut links = self.peers.values().filter_map(|state| state.link.as_ref());
        links.any(|link| link.asking.contains(&origin) || link.to_ask.contains(&origin))
    }
}
