//! How the members agree on the last writes of a replica that is gone, so that it can be forgotten.
//!
//! Each tells each other how far it has seen the replica's writes, and what it holds above that. Who has heard everybody,
//! and has what the furthest has, closes the rest: nobody holds anything of it.
//!
//! Nobody closes anything while a member has yet to issue again what it held under a former id: it could not tell any more
//! what was closed, so held by nobody else, from what the group has. Until then its word is good for whoever else issues
//! again, and for nobody to close by: it is said for a round of its own.

use std::collections::BTreeMap;

use crate::log::Slot;
use crate::mutant::{Mutant, active};
use crate::shard::range::weight;
use crate::shard::{Effects, Shard, Stage, Wake};
use crate::store::RecordId;
use crate::{ChunkItem, MemberPhase, ReplicaId, Settle, ShardMessage};

/// What was heard of one replica that is gone.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// For which set of members.
    round: u64,
    /// How far each of the others has seen it.
    heard: BTreeMap<ReplicaId, Word>,
    /// Everybody was heard, and this replica has what the furthest has.
    agreed: bool,
    /// Up to where this replica has settled it in this round.
    settled: Option<u64>,
}

/// What a member says of a replica that is gone.
#[derive(Clone, Copy, Debug)]
struct Word {
    seen: u64,
    /// It has nothing to issue again.
    is_final: bool,
}

/// How much of what must be said about one replica that is gone was said on a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    round: u64,
    /// The last exception that was sent; `None` before the first part.
    after: Option<(u64, RecordId)>,
    done: bool,
}

// === impl Shard ===

impl Shard {
    /// Up to which of its writes a replica that is gone is settled here, for the present set of members. When all
    /// members say the same, it may be retired.
    ///
    /// Who was a member under an earlier id settles nobody before all members have what it had to issue again.
    pub fn settled(&self, origin: ReplicaId) -> Option<u64> {
        // Every roster has renewed the rounds.
        self.settling.get(&origin)?.settled.filter(|_| self.has_spread_reissued())
    }

    /// Whether this replica holds all that any member holds of a replica that is gone.
    pub(super) fn is_agreed(&self, origin: ReplicaId) -> bool {
        self.settling.get(&origin).is_some_and(|settling| settling.agreed)
    }

    /// Starts over where the set of members has changed, and forgets what is retired.
    pub(super) fn renew_rounds(&mut self) {
        let round = self.roster.round();
        let gone: Vec<ReplicaId> = self.roster.gone().collect();
        self.settling.retain(|origin, _| gone.contains(origin));
        for link in self.peers.values_mut().filter_map(|peer| peer.link.as_mut()) {
            link.told_of.retain(|origin, _| gone.contains(origin));
        }
        for origin in gone {
            let settling = self.settling.entry(origin).or_default();
            if settling.round != round {
                *settling = Settling { round, ..Settling::default() };
            }
        }
    }

    /// The next part of what a peer must hear.
    pub(super) fn poll_settle(&mut self, peer: ReplicaId) -> Option<ShardMessage> {
        if self.is_joining() || self.settling.is_empty() {
            return None;
        }
        // A peer that has no state yet could not take it, and would never hear it again.
        let link = self.peers.get(&peer).filter(|peer| peer.holds_state)?.link.as_ref()?;
        let is_final = self.inherited() == 0;
        let due = |(origin, settling): (&ReplicaId, &Settling)| {
            let round = if is_final { settling.round } else { provisional(settling.round) };
            let told = link.told_of.get(origin).filter(|told| told.round == round);
            let fresh = Told { round, after: None, done: false };
            let told = told.copied().unwrap_or(fresh);
            (!told.done).then_some((*origin, told))
        };
        let (origin, told) = self.settling.iter().find_map(due)?;
        let mut items = Vec::new();
        let mut bytes = 0;
        let mut after = told.after;
        let mut last = true;
        for (counter, id) in self.store.exceptions(origin).filter(|exception| Some(*exception) > told.after) {
            if bytes >= self.limits.batch_bytes {
                last = false;
                break;
            }
            let Some(entry) = self.store.entry(id) else { continue };
            let key = self.store.key(id);
            bytes += weight(&key, &entry);
            items.push(ChunkItem { key, entry: entry.into_owned() });
            after = Some((counter, id));
        }
        let told = Told { after, done: last, ..told };
        let (round, seen, token) = (told.round, self.clock.get(origin), self.tokens);
        self.link(peer)?.told_of.insert(origin, told);
        Some(ShardMessage::Settle(Settle { origin, round, seen, last, items, token }))
    }

    /// A peer says what it holds.
    pub(super) fn handle_settle(&mut self, from: ReplicaId, settle: Settle, now: u64) -> Effects {
        if !matches!(self.stage, Stage::Live) || !self.roster.lists(settle.origin) {
            return Effects::default();
        }
        self.note_token(settle.token);
        let clock = self.clock.clone();
        for ChunkItem { key, entry } in settle.items {
            self.join_entry(&key, entry, 0, |_| false, &clock, now);
        }
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.acked.raise(settle.origin, settle.seen);
        }
        if let Some(settling) = self.settling.get_mut(&settle.origin)
            && settle.last
            && [settling.round, provisional(settling.round)].contains(&settle.round)
        {
            let word = Word { seen: settle.seen, is_final: settle.round == settling.round };
            settling.heard.insert(from, word);
        }
        let settled = self.settle_what_is_heard();
        self.want_pulls();
        if settled { Effects::moved() } else { Effects::wake(Wake::All) }
    }

    /// Settles every replica that is gone of which enough was heard. Says whether any clock moved.
    pub(super) fn settle_what_is_heard(&mut self) -> bool {
        if !matches!(self.stage, Stage::Live) || self.incoming.is_some() {
            return false;
        }
        let mut moved = false;
        let awaited = |phase: MemberPhase| {
            !active(Mutant::SettleAlone) && (phase != MemberPhase::Joining || !active(Mutant::SettleWithoutJoiners))
        };
        let members = self.roster.members().filter(|(_, peer)| awaited(peer.phase));
        let members: Vec<ReplicaId> = members.map(|(id, _)| id).collect();
        let (me, issues_again) = (self.me(), self.inherited() > 0);
        let mut closing = Vec::new();
        for (origin, settling) in &mut self.settling {
            let heard = members.iter().map(|member| Some((*member, *settling.heard.get(member)?)));
            let Some(words) = heard.collect::<Option<Vec<(ReplicaId, Word)>>>() else { continue };
            if words.iter().any(|(_, word)| self.clock.get(*origin) < word.seen) {
                continue;
            }
            // Two that hold the same would both issue it again: one after the other, the lower id first.
            let first = |(member, word): &(ReplicaId, Word)| word.is_final || *member > me;
            settling.agreed |= words.iter().all(first) || active(Mutant::ReissuedByTwo);
            closing.extend((!issues_again && words.iter().all(|(_, word)| word.is_final)).then_some(*origin));
        }
        for origin in closing {
            moved |= self.close(origin);
        }
        if moved {
            self.announce_progress();
        }
        moved
    }

    /// The writes of a replica that is gone end with the highest that anything is held of: those between are lost with
    /// it. What is held gets log slots, so that who lags can pull it.
    fn close(&mut self, origin: ReplicaId) -> bool {
        let held: Vec<(u64, RecordId)> = self.store.exceptions(origin).collect();
        let seen = self.clock.get(origin);
        let last = held.last().map_or(seen, |(counter, _)| *counter);
        let mut end = seen;
        for (counter, record) in held {
            if counter > end && !active(Mutant::SettleWithoutSlots) {
                self.store.hold(record);
                self.log.push(origin, Slot { counter, record, continues: false });
                end = counter;
            }
        }
        self.raise_clock(origin, last);
        self.release_cut_slots();
        if let Some(settling) = self.settling.get_mut(&origin) {
            settling.settled = Some(last);
        }
        last > seen
    }
}

/// The round in which whoever has something to issue again says what it holds.
const fn provisional(round: u64) -> u64 {
    !round
}
