//! What there is to send. All of it is derived from state, so nothing queues up behind a slow peer.

use std::cmp::Reverse;

use crate::mutant::{Mutant, active};
use crate::shard::descent::Founders;
use crate::shard::link::{Flight, Owed, PeerState};
use crate::shard::{Effects, LinkId, Shard, Wake};
use crate::{Applied, ReplicaId, ShardMessage};

/// What goes first when there is more to send than time to send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// What is said of members that are gone; a full-state transfer, which counts for nothing before its end; comparisons.
    Backfill,
    /// Writes that a survivor has acknowledged, or for one who is no survivor.
    Held,
    /// Writes that no other survivor has acknowledged to this replica; and the short messages that somebody waits for.
    Alone,
}

// === impl Shard ===

impl Shard {
    /// The next message for a link to a peer, if there is any, the most urgent first; call again until there is none.
    pub fn poll_transmit(&mut self, peer: ReplicaId, link: LinkId) -> Option<ShardMessage> {
        self.poll_urgent(peer, link, Urgency::Backfill)
    }

    /// The same, of messages that are at least so urgent: whoever sends for several shards asks all of them for the more
    /// urgent ones first.
    pub fn poll_urgent(&mut self, peer: ReplicaId, link: LinkId, least: Urgency) -> Option<ShardMessage> {
        let contradiction = self.link_of(peer, link)?.contradicts.take();
        contradiction
            .map(ShardMessage::Digest)
            .or_else(|| self.poll_control(peer))
            .or_else(|| self.poll_applied(peer))
            .or_else(|| self.poll_range(peer, least))
            .or_else(|| if least == Urgency::Backfill { self.poll_backfill(peer) } else { None })
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

    /// Writes from the log, the most urgent first; of equally urgent ones this replica's own, which are the latest that it
    /// knows of and may be nowhere else.
    fn poll_range(&mut self, peer: ReplicaId, least: Urgency) -> Option<ShardMessage> {
        let me = self.me();
        let own = self.owes_own_range(peer).then_some(me);
        let asked = self.peers.get(&peer)?.link.as_ref()?.asked.keys().copied();
        let urgent = |origin| (Reverse(self.urgency(peer, origin)), origin);
        // Of equal ones the first.
        let (urgency, origin) = own.into_iter().chain(asked).map(urgent).min_by_key(|(urgency, _)| *urgency)?;
        if urgency.0 < least {
            None
        } else if origin == me && own.is_some() {
            self.own_range(peer)
        } else {
            self.asked_range(peer, origin)
        }
    }

    /// How urgent it is that a peer gets what it lacks of an origin's writes. They are sent in the order in which they were
    /// made, so the last of them decides.
    fn urgency(&self, peer: ReplicaId, origin: ReplicaId) -> Urgency {
        let last = self.clock.get(origin);
        // Who is not linked may have crashed.
        let has_all = |peer: &PeerState| peer.link.is_some() && peer.acked.get(origin) >= last;
        let (mut survives, mut is_held) = (false, false);
        for id in self.roster.survivors() {
            survives |= id == peer;
            is_held |= id != peer && self.peers.get(&id).is_some_and(has_all);
        }
        if survives && !is_held { Urgency::Alone } else { Urgency::Held }
    }

    /// Whether there are own writes to send: at once when nothing is in flight, else all that came meanwhile in one range.
    fn owes_own_range(&self, peer: ReplicaId) -> bool {
        let me = self.me();
        let owes = |peer: &PeerState| {
            let is_free = peer.link.as_ref().is_some_and(|link| link.subscribed && link.in_flight.is_none());
            is_free && peer.acked.get(me) < self.clock.get(me)
        };
        self.peers.get(&peer).is_some_and(owes)
    }

    /// This replica's own writes from what the peer has acknowledged on.
    fn own_range(&mut self, peer: ReplicaId) -> Option<ShardMessage> {
        let me = self.me();
        let message = self.next_of_range(peer, me, self.peers.get(&peer)?.acked.get(me))?;
        if let (ShardMessage::Range(range), true) = (&message, active(Mutant::AckBySending)) {
            let sent = range.to;
            self.peers.get_mut(&peer)?.acked.raise(me, sent);
        }
        // What goes ahead is answered too, before more is sent: one message at a time waits for a slow peer.
        let flight = if matches!(message, ShardMessage::Range(_)) { Flight::Range } else { Flight::Behind };
        self.link(peer)?.in_flight = Some(flight);
        Some(message)
    }

    /// Another origin's writes that the peer asked for.
    fn asked_range(&mut self, peer: ReplicaId, origin: ReplicaId) -> Option<ShardMessage> {
        let from = *self.link(peer)?.asked.get(&origin)?;
        let message = self.next_of_range(peer, origin, from)?;
        let state = self.peers.get_mut(&peer)?;
        if !state.ahead.contains_key(&origin) {
            state.link.as_mut()?.asked.remove(&origin);
        }
        Some(message)
    }

    /// What goes ahead of the range of an origin from a counter, as long as there is anything, and then the range.
    fn next_of_range(&mut self, peer: ReplicaId, origin: ReplicaId, from: u64) -> Option<ShardMessage> {
        let ahead = self.peers.get_mut(&peer)?.ahead.remove(&origin);
        let Some(draft) = self.make_range(origin, from, ahead) else { return Some(ShardMessage::Behind { origin }) };
        if let Some(ahead) = draft.ahead {
            self.peers.get_mut(&peer)?.ahead.insert(origin, ahead);
        }
        Some(ShardMessage::Range(draft.range))
    }

    fn poll_backfill(&mut self, peer: ReplicaId) -> Option<ShardMessage> {
        self.poll_settle(peer).or_else(|| self.make_chunk(peer)).or_else(|| self.poll_digest(peer))
    }
}
