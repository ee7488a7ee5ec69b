//! How the members agree on the last writes of a replica that is gone, so that it can be forgotten.
//!
//! Each tells each other how far it has seen the replica's writes, and all that it holds above that. Who has heard
//! everybody, and has what the furthest has, holds all that anybody holds: the replica is settled. No clock is raised over
//! what is missing: a process that was removed may come back with it, as long as the replica is listed.

use std::collections::BTreeMap;

use crate::mutant::{Mutant, active};
use crate::shard::draft::weight;
use crate::shard::{Effects, Shard, Stage, Wake};
use crate::store::RecordId;
use crate::{ChunkItem, MemberPhase, ReplicaId, Settle, ShardMessage};

/// What was heard of one replica that is gone.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// For which set of members.
    round: u64,
    /// How far each of the others has seen it.
    heard: BTreeMap<ReplicaId, u64>,
    /// Up to where this replica has settled it in this round.
    settled: Option<u64>,
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
        self.settling
            .get(&origin)?
            .settled
            .filter(|_| self.has_spread_reissued() || active(Mutant::ReissueSettlesEarly))
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

    /// The next part of what a peer must hear. Who has something to issue again has not said all before that is done.
    pub(super) fn poll_settle(&mut self, peer: ReplicaId) -> Option<ShardMessage> {
        if self.is_joining() || self.settling.is_empty() || self.issues_again() {
            return None;
        }
        // A peer that has no state yet could not take it, and would never hear it again.
        let link = self.peers.get(&peer).filter(|peer| peer.holds_state)?.link.as_ref()?;
        let due = |(origin, settling): (&ReplicaId, &Settling)| {
            let round = settling.round;
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
        let exceptions = self.store.exceptions(origin).filter(|exception| Some(*exception) > told.after);
        for (counter, id) in exceptions.filter(|_| !active(Mutant::SettleWithoutExceptions)) {
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
        let (round, seen, (token, _)) = (told.round, self.clock.get(origin), self.passed_on());
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
        let settling = self.settling.get_mut(&settle.origin).filter(|settling| settling.round == settle.round);
        if let Some(settling) = settling.filter(|_| settle.last) {
            settling.heard.insert(from, settle.seen);
        }
        self.settle_what_is_heard();
        self.want_pulls();
        Effects::wake(Wake::All)
    }

    /// Settles every replica that is gone of which enough was heard.
    pub(super) fn settle_what_is_heard(&mut self) {
        if !matches!(self.stage, Stage::Live) || self.incoming.is_some() || self.issues_again() {
            return;
        }
        let awaited = |phase: MemberPhase| {
            !active(Mutant::SettleAlone) && (phase != MemberPhase::Joining || !active(Mutant::SettleWithoutJoiners))
        };
        let members = self.roster.members().filter(|(_, peer)| awaited(peer.phase));
        let members: Vec<ReplicaId> = members.map(|(id, _)| id).collect();
        for (origin, settling) in &mut self.settling {
            let seen = self.clock.get(*origin);
            let heard = members.iter().map(|member| settling.heard.get(member));
            let has = |theirs: &u64| *theirs <= seen || active(Mutant::SettleWithoutPull);
            if heard.into_iter().all(|word| word.is_some_and(has)) {
                settling.settled = Some(seen);
            }
        }
    }

    fn issues_again(&self) -> bool {
        self.inherited() > 0 && !active(Mutant::ReissueSettlesEarly)
    }
}
