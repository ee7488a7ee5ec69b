//! What there is to send. All of it is derived from state, so nothing queues up behind a slow peer.

use crate::mutant::{Mutant, active};
use crate::shard::descent::Founders;
use crate::shard::link::{Flight, Owed};
use crate::shard::{Effects, LinkId, Shard, Wake};
use crate::{Applied, ReplicaId, ShardMessage};

// === impl Shard ===

impl Shard {
    /// The next message for a link to a peer, if there is any; call again until there is none.
    pub fn poll_transmit(&mut self, peer: ReplicaId, link: LinkId) -> Option<ShardMessage> {
        let contradiction = self.link_of(peer, link)?.contradicts.take();
        contradiction
            .map(ShardMessage::Digest)
            .or_else(|| self.poll_control(peer))
            .or_else(|| self.poll_applied(peer))
            .or_else(|| self.poll_settle(peer))
            .or_else(|| self.poll_own_range(peer))
            .or_else(|| self.poll_asked(peer))
            .or_else(|| self.make_chunk(peer))
            .or_else(|| self.poll_digest(peer))
    }

    /// Every linked peer hears what the state sums up to, as soon as nothing else is to be said.
    pub fn offer_digest(&mut self) -> Effects {
        for link in self.peers.values_mut().filter_map(|peer| peer.link.as_mut()) {
            link.owes_digest = true;
        }
        Effects::wake(Wake::All)
    }

    fn poll_digest(&mut self, peer: ReplicaId) -> Option<ShardMessage> {
        let owed = std::mem::take(&mut self.link(peer)?.owes_digest);
        self.digest().filter(|_| owed).map(ShardMessage::Digest)
    }

    /// A peer asks for an origin's writes.
    pub(super) fn asked(&mut self, peer: ReplicaId, origin: ReplicaId, from: u64) {
        // Only what could be served is remembered, which bounds what a peer can ask for.
        let known = self.clock.get(origin) > 0;
        if let Some(link) = self.link(peer).filter(|_| known) {
            link.asked.insert(origin, from);
        }
    }

    fn poll_control(&mut self, peer: ReplicaId) -> Option<ShardMessage> {
        let clock = &self.clock;
        let link = self.peers.get_mut(&peer)?.link.as_mut()?;
        if let Some(transfer) = link.fetch.take() {
            return Some(ShardMessage::Fetch { transfer });
        }
        if let Some((transfer, index)) = link.chunk_seen.take() {
            return Some(ShardMessage::ChunkSeen { transfer, index });
        }
        if let Some(origin) = link.behind.pop_first() {
            return Some(ShardMessage::Behind { origin });
        }
        let origin = link.to_ask.pop_first()?;
        link.asking.insert(origin);
        Some(ShardMessage::Pull { origin, from: clock.get(origin) })
    }

    fn poll_applied(&mut self, peer: ReplicaId) -> Option<ShardMessage> {
        if self.is_joining() && !active(Mutant::AckByReceipt) {
            return None;
        }
        let (clock, founders) = (&self.clock, &self.founders);
        let link = self.peers.get_mut(&peer)?.link.as_mut()?;
        if link.owed != Owed::Now {
            return None;
        }
        let full = std::mem::take(&mut link.owes_full);
        let changed = if full { clock.clone() } else { clock.above(&link.told) };
        link.owed = Owed::Nothing;
        link.told.clone_from(clock);
        Some(ShardMessage::Applied(Applied {
            clock: changed,
            full,
            answers_range: std::mem::take(&mut link.answers_range),
            heard_leaving: link.said_leaving,
            leaving: self.asked,
            founders: if full { founders.clone() } else { Founders::new() },
        }))
    }

    /// This replica's own writes: at once when nothing is in flight, else all that came meanwhile in one range.
    fn poll_own_range(&mut self, peer: ReplicaId) -> Option<ShardMessage> {
        let me = self.me();
        let state = self.peers.get(&peer)?;
        let link = state.link.as_ref()?;
        let from = state.acked.get(me);
        if !link.subscribed || link.in_flight.is_some() || from >= self.clock.get(me) {
            return None;
        }
        let range = self.make_range(me, from);
        if let (Some(range), true) = (&range, active(Mutant::AckBySending)) {
            let sent = range.to;
            self.peers.get_mut(&peer)?.acked.raise(me, sent);
        }
        let link = self.link(peer)?;
        match range {
            Some(range) => {
                link.in_flight = Some(Flight::Range);
                Some(ShardMessage::Range(range))
            }
            None => {
                link.in_flight = Some(Flight::Behind);
                Some(ShardMessage::Behind { origin: me })
            }
        }
    }

    /// Other origins' writes that the peer asked for.
    fn poll_asked(&mut self, peer: ReplicaId) -> Option<ShardMessage> {
        let (origin, from) = self.link(peer)?.asked.pop_first()?;
        Some(self.make_range(origin, from).map_or(ShardMessage::Behind { origin }, ShardMessage::Range))
    }
}
