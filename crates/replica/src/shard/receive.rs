//! What a message does.

use crate::mutant::{Mutant, active};
use crate::shard::descent::includes;
use crate::shard::link::{Flight, Link, Owed};
use crate::shard::{Effects, LinkId, ProtocolError, Shard, Stage, Wake};
use crate::{Applied, Entry, MemberPhase, Range, ReplicaId, ShardMessage};

/// By this part more than local writes, peers may fill a shard: what they delete must come through when it is full.
const PEERS_PART: u64 = 16;

// === impl Shard ===

impl Shard {
    /// Takes a message of a linked peer. `now` is the wall clock in Unix milliseconds.
    ///
    /// On an error nothing of the message was claimed, and the link should be closed.
    pub fn handle(
        &mut self,
        from: ReplicaId,
        link: LinkId,
        message: ShardMessage,
        now: u64,
    ) -> Result<Effects, ProtocolError> {
        if self.link_of(from, link).is_none() && !active(Mutant::OldLinkTaken) {
            return Err(ProtocolError::NotLinked(from));
        }
        let member = self.roster.peer(from).is_some_and(|peer| peer.phase != MemberPhase::Gone);
        if self.roster.version().is_some() && !member && !active(Mutant::GoneSenderTaken) {
            return Err(ProtocolError::NoMember(from));
        }
        let brings = match &message {
            ShardMessage::Range(_) | ShardMessage::Chunk(_) => true,
            ShardMessage::Settle(settle) => !settle.items.is_empty(),
            _ => false,
        };
        if brings && !self.has_room_for_peers() {
            return Err(ProtocolError::Full(self.index));
        }
        let mut effects = self.receive(from, message, now)?;
        if self.own_overtaken() {
            effects = effects.and(Effects::wake(Wake::All));
        }
        if self.unpurged.is_due() {
            // What comes twice brings back what was purged.
            self.forget_stable();
        }
        Ok(effects)
    }

    /// Whether what peers send has room.
    pub fn has_room_for_peers(&self) -> bool {
        self.store.bytes() <= self.limits.max_bytes + self.limits.max_bytes / PEERS_PART
    }

    fn receive(&mut self, from: ReplicaId, message: ShardMessage, now: u64) -> Result<Effects, ProtocolError> {
        match message {
            ShardMessage::Applied(applied) => self.handle_applied(from, applied),
            ShardMessage::Range(range) => self.handle_range(from, range, now),
            ShardMessage::Chunk(chunk) => {
                self.refuse_future(chunk.clock.get(self.me()))?;
                self.apply_chunk(from, chunk, now)
            }
            ShardMessage::Pull { origin, from: counter } => {
                self.asked(from, origin, counter);
                Ok(Effects::wake(Wake::Sender))
            }
            ShardMessage::Behind { origin } => {
                self.handle_behind(from, origin);
                Ok(Effects::wake(Wake::All))
            }
            ShardMessage::Fetch { transfer } => {
                self.begin_outgoing(from, transfer);
                Ok(Effects::wake(Wake::Sender))
            }
            ShardMessage::ChunkSeen { transfer, index } => {
                self.chunk_seen(from, transfer, index);
                self.forget_stable();
                Ok(Effects::wake(Wake::Sender))
            }
            ShardMessage::Settle(settle) => {
                self.refuse_future(if settle.origin == self.me() { settle.seen } else { 0 })?;
                self.refuse_invented(settle.items.iter().map(|item| &item.entry))?;
                Ok(self.handle_settle(from, settle, now))
            }
            ShardMessage::Digest(digest) => Ok(self.handle_digest(from, &digest)),
        }
    }

    pub(super) fn link(&mut self, peer: ReplicaId) -> Option<&mut Link> {
        self.peers.get_mut(&peer)?.link.as_mut()
    }

    /// The link to a peer, if it is this one.
    pub(super) fn link_of(&mut self, peer: ReplicaId, id: LinkId) -> Option<&mut Link> {
        self.link(peer).filter(|link| link.id == id)
    }

    fn handle_applied(&mut self, from: ReplicaId, applied: Applied) -> Result<Effects, ProtocolError> {
        let me = self.me();
        self.refuse_future(applied.clock.get(me))?;
        let mut applied = applied;
        applied.clock.retain(|id| self.roster.lists(id));
        let Some(peer) = self.peers.get_mut(&from) else {
            return Ok(Effects::default());
        };
        if applied.full {
            peer.founders = applied.founders;
        }
        let before = peer.acked.get(me);
        let more = !peer.acked.covers_all(&applied.clock);
        peer.acked.join(&applied.clock);
        let in_flight = peer.link.as_ref().and_then(|link| link.in_flight);
        if active(Mutant::AckByReceipt) && in_flight == Some(Flight::Range) {
            peer.acked.raise(me, self.clock.get(me));
        }
        let heard = (self.asked > 0 && applied.heard_leaving == self.asked) || active(Mutant::OldAckCounted);
        let has_all = includes(&peer.founders, &self.founders) || active(Mutant::StrangersCounted);
        let counts = heard && has_all && (applied.leaving == 0 || active(Mutant::LeaversCountEachOther));
        let counts = counts && !active(Mutant::NobodyCounts);
        if counts {
            peer.counted.join(&applied.clock);
            peer.vouches = true;
        }
        if applied.leaving > 0 {
            peer.hear_leaving(applied.leaving);
        }
        let more_of_mine = peer.acked.get(me) > before;
        if more_of_mine && (peer.waits() || self.roster.is_leaving(from)) {
            // A leaving peer that has these writes waits for someone who says that he has them too.
            peer.owe(Owed::Now);
        }
        let acknowledged = counts || more;
        peer.holds_state |= applied.full;
        if let Some(link) = &mut peer.link {
            let answered = applied.full || (applied.answers_range && link.in_flight == Some(Flight::Range));
            link.in_flight.take_if(|_| answered);
            link.subscribed |= applied.full;
            link.has_no_state &= !applied.full;
        }
        self.forget_stable();
        self.seek_source();
        self.seek_descent();
        let wake = if self.want_pulls() { Wake::All } else { Wake::Sender };
        Ok(Effects { wake, acknowledged, bootstrapped: false })
    }

    fn handle_range(&mut self, from: ReplicaId, range: Range, now: u64) -> Result<Effects, ProtocolError> {
        let origin = range.origin;
        if let Some(link) = self.link(from).filter(|_| !range.is_ahead()) {
            link.asking.remove(&origin);
        }
        let takes = matches!(self.stage, Stage::Live) || (self.is_sealed() && active(Mutant::SealTakesData));
        if !takes {
            if let Some(peer) = self.peers.get_mut(&from).filter(|_| active(Mutant::AckByReceipt)) {
                peer.owe(Owed::Now);
            }
            return Ok(Effects::default());
        }
        self.refuse_future(if origin == self.me() { range.to } else { 0 })?;
        self.refuse_invented(range.items.iter().map(|item| &item.entry))?;
        let moved = self.apply_range(range, now)?;
        self.absorb_crowded(now);
        if moved {
            // Others may have acknowledged these writes before they came here.
            self.settle_what_is_heard();
            self.forget_stable();
        }
        if let Some(link) = self.link(from) {
            link.answers_range |= origin == from;
        }
        self.owe_all(from, moved);
        let pulls = self.want_pulls();
        Ok(Effects::wake(if moved || pulls { Wake::All } else { Wake::Sender }))
    }

    fn handle_behind(&mut self, from: ReplicaId, origin: ReplicaId) {
        if let Some(link) = self.link(from) {
            link.asking.remove(&origin);
        }
        // Who has state says so before it says anything of its window.
        let has_state = self.peers.get(&from).is_some_and(|peer| peer.holds_state);
        if self.is_joining() || !has_state {
            self.source_refused(from);
            return;
        }
        let lacks = self.peers.get(&from).is_some_and(|peer| peer.acked.get(origin) > self.clock.get(origin));
        if matches!(self.stage, Stage::Live) && (lacks || origin == from) {
            self.fetch_from(from);
        } else {
            // A transfer was faster than the question; somebody else may have more.
            self.want_pulls();
        }
    }

    /// The clock has moved: the sender hears of it at once, as do leaving peers, who wait for it; the others soon.
    fn owe_all(&mut self, sender: ReplicaId, moved: bool) {
        for (id, peer) in &mut self.peers {
            let urgent = *id == sender || peer.waits() || self.roster.is_leaving(*id);
            if urgent {
                peer.owe(Owed::Now);
            } else if moved {
                peer.owe(Owed::Soon);
            }
        }
    }

    /// No peer can have seen writes of this replica that it has not made; a reused id would look like this.
    pub(super) fn refuse_future(&self, claimed: u64) -> Result<(), ProtocolError> {
        let made = self.clock.get(self.me());
        if claimed > made && !active(Mutant::FutureTaken) {
            Err(ProtocolError::FutureOfMine { claimed, made })
        } else {
            Ok(())
        }
    }

    /// Nor can an entry hold them, or have superseded them: the real ones would be taken for these everywhere.
    fn refuse_invented<'a>(&self, entries: impl Iterator<Item = &'a Entry>) -> Result<(), ProtocolError> {
        let me = self.me();
        let mine = |entry: &Entry| {
            let dots = entry.versions().iter().flat_map(|version| version.dots());
            let mine = dots.filter(|dot| dot.replica == me).map(|dot| dot.counter);
            mine.fold(entry.context().get(me), u64::max)
        };
        self.refuse_future(entries.map(mine).max().unwrap_or_default())
    }
}
