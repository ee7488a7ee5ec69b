//! What every member has seen needs no slot in the window, no tombstone and no context.

use std::collections::{BTreeMap, BTreeSet};

use crate::mutant::{Mutant, active};
use crate::shard::{Shard, Stage};
use crate::store::RecordId;
use crate::{Dot, MemberPhase, ReplicaId, VersionVector};

/// Records whose contexts cannot be purged yet, and what they wait for. Ids of records that were removed do no harm:
/// whatever bears the id when its time comes is looked at afresh.
#[derive(Debug, Default)]
pub(super) struct Unpurged {
    /// To be looked at as soon as purging is allowed.
    due: BTreeSet<RecordId>,
    /// Until everybody has seen the dot.
    waiting: BTreeMap<ReplicaId, BTreeSet<(u64, RecordId)>>,
    /// What each waits for: it is in one place, however often it is looked at meanwhile.
    places: BTreeMap<RecordId, Dot>,
}

// === impl Unpurged ===

impl Unpurged {
    /// Something changed that may allow the record's context to be purged.
    pub(super) fn look_at(&mut self, id: RecordId) {
        self.due.insert(id);
    }

    /// Whether there is something to look at.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Whether there is nothing to look at, now or later.
    fn is_empty(&self) -> bool {
        self.due.is_empty() && self.waiting.is_empty()
    }

    /// How many wait.
    fn len(&self) -> usize {
        self.waiting.values().map(BTreeSet::len).sum()
    }

    fn wait_for(&mut self, dot: Dot, id: RecordId) {
        if let Some(before) = self.places.insert(id, dot)
            && let Some(waiting) = self.waiting.get_mut(&before.replica)
        {
            waiting.remove(&(before.counter, id));
        }
        self.waiting.entry(dot.replica).or_default().insert((dot.counter, id));
    }

    /// What waits for dots that have become stable is due.
    fn advance(&mut self, stable: impl Fn(ReplicaId) -> u64) {
        for (origin, waiting) in &mut self.waiting {
            let above = waiting.split_off(&(stable(*origin).saturating_add(1), RecordId::FIRST));
            for (_, id) in std::mem::replace(waiting, above) {
                self.places.remove(&id);
                self.due.insert(id);
            }
        }
        self.waiting.retain(|_, waiting| !waiting.is_empty());
    }
}

// === impl Shard ===

impl Shard {
    /// Forgets log slots, contexts and tombstones that every member has seen: Joining and unreachable members count,
    /// Gone ones do not. An origin has its own writes without saying so.
    pub(super) fn forget_stable(&mut self) {
        if self.is_joining() {
            return;
        }
        let stable = self.stable();
        for (origin, counter) in stable.iter() {
            self.log.cut(origin, counter);
        }
        self.release_cut_slots();
        let roster = &self.roster;
        self.unpurged.advance(|origin| if roster.lists(origin) { stable.get(origin) } else { u64::MAX });
        self.purge(&stable);
    }

    /// Whether this replica is the only member, and keeps nothing for another: what it writes is stable at once.
    pub(super) fn is_settled_alone(&self) -> bool {
        self.log.len() == 0 && self.unpurged.is_empty() && self.roster.members().next().is_none() && self.may_purge()
    }

    /// How many keys keep a context or a tombstone until a member has seen what it has not acknowledged yet.
    pub fn unpurged(&self) -> usize {
        self.unpurged.len()
    }

    /// What every member has seen, as far as this replica has heard.
    fn stable(&self) -> VersionVector {
        let acked = |member: ReplicaId, origin: ReplicaId, counter: u64| match self.peers.get(&member) {
            _ if member == origin => counter,
            Some(peer) => peer.acked.get(origin),
            None => 0,
        };
        let least = |(origin, counter)| {
            let members = self.roster.members().filter(|(member, _)| !self.is_ignored(*member));
            let stable = members.map(|(member, _)| acked(member, origin, counter)).min().unwrap_or(counter);
            (origin, stable.min(counter))
        };
        self.clock.iter().map(least).collect()
    }

    pub(super) fn release_cut_slots(&mut self) {
        self.store.expect(self.log.cut_records());
        while let Some(record) = self.log.pop_cut() {
            if self.end_record(record, |store| store.release(record)) {
                self.unpurged.look_at(record);
            }
        }
    }

    /// A record is purged when no log slot names it any more and all of its dots, those of its versions too, are stable:
    /// with the context's dots alone, a version that some hold and others do not could lose the context that buries the
    /// one before it.
    fn purge(&mut self, stable: &VersionVector) {
        if !self.may_purge() || active(Mutant::TombstonesStay) {
            return;
        }
        while let Some(id) = self.unpurged.due.pop_first() {
            if !self.store.has_context(id) || self.store.slots(id) > 0 {
                continue;
            }
            let is_unstable = |dot: Dot| self.roster.lists(dot.replica) && !stable.covers(dot);
            let unstable = match active(Mutant::PurgePastVersions) {
                true => self.store.entry(id).and_then(|entry| entry.context().dots().find(|dot| is_unstable(*dot))),
                false => self.store.find_dot(id, is_unstable),
            };
            match unstable {
                Some(dot) => self.unpurged.wait_for(dot, id),
                None => self.end_record(id, |store| store.purge(id)),
            }
        }
    }

    /// Not while a member has never said what it has: it may be taking the state from anybody. Nor while a transfer is
    /// under way here: what is missing in it is taken as deleted.
    fn may_purge(&self) -> bool {
        let heard = |id: ReplicaId| self.peers.get(&id).is_some_and(|peer| peer.holds_state);
        let serving = self.peers.iter().filter(|(id, _)| !self.is_ignored(**id));
        let mut serving = serving.filter_map(|(_, peer)| peer.link.as_ref());
        matches!(self.stage, Stage::Live)
            && self.incoming.is_none()
            && !serving.any(|link| link.outgoing.is_some())
            && self.roster.members().all(|(id, _)| self.is_ignored(id) || (heard(id) && self.is_kin(id)))
    }

    /// Whether nothing is kept for a member: there is none such.
    fn is_ignored(&self, member: ReplicaId) -> bool {
        let joins = || self.roster.peer(member).is_some_and(|peer| peer.phase == MemberPhase::Joining);
        (active(Mutant::PurgeWithoutJoiner) && joins())
            || (active(Mutant::PurgeWithoutUnreachable) && !self.roster.linked(member))
    }
}
