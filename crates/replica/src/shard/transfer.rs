//! Full-state transfers: for joining replicas, and for those whom the window no longer serves.
//!
//! The sender fixes its clock at the start and streams the shard in key order. The receiver joins each chunk and takes
//! the clock with the last chunk only: a transfer that stops in the middle leaves joined entries and no claim.

use crate::mutant::{Mutant, active};
use crate::packed::UnpackedItem;
use crate::shard::descent::{Founders, includes};
use crate::shard::{Effects, ProtocolError, Shard, Stage, Wake};
use crate::{Chunk, Dot, Entry, Key, ReplicaId, ShardMessage, VersionVector};

/// Chunks on their way at once: enough to keep a link busy, few enough to bound what waits.
const MAX_UNSEEN: u32 = 4;

/// A transfer that this replica serves.
#[derive(Debug)]
pub(super) struct Outgoing {
    transfer: u32,
    clock: VersionVector,
    founders: Founders,
    after: Option<Key>,
    next: u32,
    seen: u32,
    ended: bool,
}

/// The transfer that this replica receives.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) from: ReplicaId,
    transfer: u32,
    next: u32,
    after: Option<Key>,
    clock: Option<VersionVector>,
    purpose: Purpose,
    /// The sender's state has a founder that this one lacks: what retired replicas wrote may be news.
    pub(super) is_strange: bool,
    /// An earlier transfer to this joining replica broke off, and what it brought is here.
    follows_torn: bool,
}

/// What a transfer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To have all that the sender has seen: what it has seen and does not send was deleted.
    Join,
    /// To add what the sender holds, after a comparison has failed.
    Repair,
}

// === impl Outgoing ===

impl Outgoing {
    fn has_credit(&self) -> bool {
        !self.ended && self.next - self.seen < MAX_UNSEEN
    }
}

// === impl Shard ===

impl Shard {
    /// Asks a peer for the whole shard, unless a transfer is under way already.
    pub(super) fn fetch_from(&mut self, peer: ReplicaId) {
        self.fetch(peer, Purpose::Join);
    }

    /// Asks a peer for everything that it holds, to add it.
    pub(super) fn repair_from(&mut self, peer: ReplicaId) {
        self.fetch(peer, Purpose::Repair);
    }

    fn fetch(&mut self, peer: ReplicaId, purpose: Purpose) {
        if self.incoming.is_some() {
            return;
        }
        let transfer = self.transfers.wrapping_add(1);
        let follows_torn = self.is_joining() && !self.store.is_empty();
        let Some(link) = self.link(peer) else { return };
        link.fetch = Some(transfer);
        self.transfers = transfer;
        self.incoming = Some(Incoming {
            from: peer,
            transfer,
            next: 0,
            after: None,
            clock: None,
            purpose,
            is_strange: false,
            follows_torn,
        });
    }

    /// The link to a peer changed: a transfer on it is over. Peers repeat what they had to say of their windows when
    /// they hear this replica's whole clock again.
    pub(super) fn forget_transfer_from(&mut self, peer: ReplicaId) {
        if active(Mutant::TransferOutlivesLink) {
            return;
        }
        if self.incoming.take_if(|incoming| incoming.from == peer).is_some() {
            self.announce_everything();
        }
    }

    /// A peer to which this replica turned for the state has none itself.
    pub(super) fn source_refused(&mut self, peer: ReplicaId) {
        self.incoming.take_if(|incoming| incoming.from == peer);
        if let Some(link) = self.link(peer) {
            link.has_no_state = true;
        }
        self.seek_source();
    }

    /// A peer asks for the whole shard.
    pub(super) fn begin_outgoing(&mut self, peer: ReplicaId, transfer: u32) {
        let (me, joining) = (self.me(), self.is_joining());
        let (clock, founders) = (self.clock.clone(), self.founders.clone());
        let Some(link) = self.link(peer) else { return };
        if joining {
            link.behind.insert(me);
            return;
        }
        link.outgoing = Some(Outgoing { transfer, clock, founders, after: None, next: 0, seen: 0, ended: false });
    }

    /// A peer has applied a chunk.
    pub(super) fn chunk_seen(&mut self, peer: ReplicaId, transfer: u32, index: u32) {
        let Some(link) = self.link(peer) else { return };
        let Some(outgoing) = link.outgoing.as_mut().filter(|outgoing| outgoing.transfer == transfer) else {
            return;
        };
        outgoing.seen = outgoing.seen.max(index.saturating_add(1).min(outgoing.next));
        if outgoing.ended && outgoing.seen == outgoing.next {
            link.outgoing = None;
        }
    }

    /// The next chunk for a peer, if one is wanted and may be sent.
    pub(super) fn make_chunk(&mut self, peer: ReplicaId) -> Option<ShardMessage> {
        let outgoing = self.peers.get_mut(&peer)?.link.as_mut()?.outgoing.as_mut().filter(|out| out.has_credit())?;
        let (items, through) = self.store.pack(outgoing.after.as_ref(), self.limits.batch_bytes);
        let after = std::mem::replace(&mut outgoing.after, through.clone());
        outgoing.ended = through.is_none();
        let index = outgoing.next;
        outgoing.next += 1;
        let (transfer, clock, founders) = (outgoing.transfer, outgoing.clock.clone(), outgoing.founders.clone());
        let (listed, (token, level)) = (self.roster.listed(), self.passed_on());
        let keys = u32::try_from(self.store.len()).unwrap_or(u32::MAX);
        Some(ShardMessage::Chunk(Chunk {
            transfer,
            index,
            clock,
            listed,
            founders,
            token,
            level,
            after,
            through,
            keys,
            items,
        }))
    }

    /// Joins a chunk of the transfer under way; any other is left from an earlier one.
    pub(super) fn apply_chunk(&mut self, from: ReplicaId, chunk: Chunk, now: u64) -> Result<Effects, ProtocolError> {
        let Chunk { transfer, index, .. } = chunk;
        let torn = ProtocolError::TornChunk { transfer, index };
        let Ok(unpacked) = chunk.items.unpack() else { return Err(torn) };
        let items: Vec<UnpackedItem<'_>> = unpacked.items().collect();
        if !chunk.is_whole(&items) && !active(Mutant::TornChunkTaken) {
            return Err(torn);
        }
        self.refuse_founders(from, &chunk.founders)?;
        let me = self.me();
        self.refuse_future(items.iter().map(|item| item.last_of(me)).max().unwrap_or_default())?;
        let Some(incoming) = self.incoming.as_mut().filter(|incoming| incoming.from == from) else {
            // Given up here. The sender must come to its end: until then it purges nothing.
            if let Some(link) = self.link(from) {
                link.chunk_seen = Some((transfer, index));
            }
            return Ok(Effects::wake(Wake::Sender));
        };
        if incoming.transfer != transfer {
            return Ok(Effects::default());
        }
        let follows = incoming.next == index
            && incoming.after == chunk.after
            && incoming.clock.as_ref().is_none_or(|clock| *clock == chunk.clock);
        if !follows && !active(Mutant::TornChunkTaken) {
            return Err(torn);
        }
        incoming.next += 1;
        incoming.after.clone_from(&chunk.through);
        incoming.clock = Some(chunk.clock.clone());
        incoming.is_strange = !includes(&self.founders, &chunk.founders) && !active(Mutant::StrangersKnowAll);
        let last = chunk.is_last();
        let (clock, founders) = (chunk.clock.clone(), chunk.founders.clone());
        let purpose = incoming.purpose;
        self.note_token(chunk.token);
        self.level = self.level.max(chunk.level);
        match purpose {
            Purpose::Join => self.join_chunk(&chunk, &items, now),
            Purpose::Repair if active(Mutant::RepairByAbsence) => self.join_chunk(&chunk, &items, now),
            Purpose::Repair => items.iter().for_each(|item| self.repair_entry(&item.key.to_key(), item.to_entry())),
        }
        if active(Mutant::ClockWithFirstChunk) {
            self.claim(&clock);
        }
        if let Some(link) = self.link(from) {
            link.chunk_seen = Some((transfer, index));
        }
        match purpose {
            _ if !last => Ok(Effects::wake(Wake::Sender)),
            Purpose::Join => Ok(self.end_incoming(&clock, &founders)),
            Purpose::Repair => {
                self.incoming = None;
                self.settle_what_is_heard();
                self.forget_stable();
                // Who said meanwhile that its window starts too late repeats it.
                self.announce_everything();
                self.want_pulls();
                self.seek_descent();
                Ok(Effects::wake(Wake::All))
            }
        }
    }

    fn join_chunk(&mut self, chunk: &Chunk, items: &[UnpackedItem<'_>], now: u64) {
        let here = self.store.keys_in(chunk.after.as_ref(), chunk.through.as_ref());
        let clock = if active(Mutant::AbsentIsDeleted) { self.clock.clone() } else { chunk.clock.clone() };
        // Who is listed here and not there is a newcomer, of whom the sender has not heard yet.
        let mut listed = chunk.listed.clone();
        listed.extend(self.roster.listed());
        listed.sort_unstable();
        // Of retired replicas, each side has seen what those of its founders had.
        let has_mine = includes(&chunk.founders, &self.founders) || active(Mutant::StrangersKnowAll);
        let retired_there = |dot: Dot| has_mine && listed.binary_search(&dot.replica).is_err();
        let seen_there = |dot: Dot| (clock.covers(dot) || retired_there(dot)) && !active(Mutant::AbsentIsKept);
        let mut next = self.clock.clone();
        if self.is_joining() {
            // Nobody asks a joining replica what it holds above its clock. When the transfer ends, it is this.
            next.join(&chunk.clock);
        }
        match here.is_empty() {
            true => self.store.expect_in_all(chunk.keys, items.len()),
            false => self.store.expect_keys(items.iter().map(|item| item.key)),
        }
        let mut rest = items;
        loop {
            let added = if here.is_empty() { self.join_new(rest, &next, now) } else { 0 };
            let Some((item, more)) = rest[added..].split_first() else { break };
            self.join_entry(&item.key.to_key(), item.to_entry(), 0, seen_there, &next, now);
            rest = more;
        }
        let sent = |key: &Key| items.binary_search_by(|item| item.key.cmp(&key.borrow())).is_ok();
        for key in here.iter().filter(|key| !sent(key)) {
            self.join_entry(key, Entry::default(), 0, seen_there, &next, now);
        }
    }

    /// Joins entries of keys of which nothing is here, as far as each is one plain version that was not seen: there is
    /// nothing to join them with. Says how many.
    fn join_new(&mut self, items: &[UnpackedItem<'_>], next: &VersionVector, now: u64) -> usize {
        let knows_retired = self.knows_retired();
        let Self { clock, roster, store, .. } = self;
        let seen = |dot: Dot| clock.covers(dot) || (knows_retired && !roster.lists(dot.replica));
        let is_new = |item: &UnpackedItem<'_>| item.plain().is_some_and(|version| !seen(version.dot));
        let seen_then = |dot: Dot| next.covers(dot) || !roster.lists(dot.replica);
        let added = store.add_plain(items.iter().copied().take_while(is_new), seen_then);
        let latest = items[..added].iter().filter_map(|item| item.plain()).map(|version| version.hlc).max();
        if let Some(latest) = latest {
            self.hlc.observe(latest, now);
        }
        added
    }

    /// Whether this replica has what retired replicas wrote, as far as a transfer can tell.
    pub(super) fn knows_retired(&self) -> bool {
        !self.is_joining() && !self.incoming.as_ref().is_some_and(|incoming| incoming.is_strange)
    }

    /// The whole shard has arrived: its clock may be claimed now, and not before.
    fn end_incoming(&mut self, clock: &VersionVector, founders: &[ReplicaId]) -> Effects {
        let follows_torn = self.incoming.take().is_some_and(|incoming| incoming.follows_torn);
        self.claim(clock);
        self.descend_from(founders);
        let bootstrapped = self.is_joining();
        if bootstrapped {
            self.stage = Stage::Live;
        }
        if follows_torn && !active(Mutant::TornTransferForgotten) {
            self.find_exceptions();
        }
        self.renew_succession();
        self.forget_retired();
        self.release_cut_slots();
        self.settle_what_is_heard();
        self.forget_stable();
        self.announce_everything();
        self.want_pulls();
        self.seek_descent();
        Effects { wake: Wake::All, acknowledged: false, bootstrapped }
    }

    /// Looks for all that is held above the clock, which nobody did while the state was on its way.
    pub(super) fn find_exceptions(&mut self) {
        let Self { clock, roster, store, .. } = self;
        store.find_exceptions(|dot| clock.covers(dot) || !roster.lists(dot.replica));
    }

    /// Everything below the clock is here now, without slots.
    fn claim(&mut self, clock: &VersionVector) {
        for (origin, counter) in clock.iter() {
            if self.roster.lists(origin) && counter > self.clock.get(origin) {
                if !active(Mutant::LogOverTransfer) {
                    self.log.restart(origin, counter);
                }
                self.raise_clock(origin, counter);
            }
        }
    }
}
