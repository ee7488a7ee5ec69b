//! What the process can say of itself.

use std::sync::atomic::Ordering;

use baton_replica::{Member, MemberPhase, Peer, Phase, ReplicaId, Roster};

use crate::engine::Engine;

/// In sync means: has applied what a peer had this long ago.
const IN_SYNC_MILLIS: u64 = 1_000;

/// A snapshot of the process.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) group: String,
    pub(crate) replica: ReplicaId,
    pub(crate) pod_name: String,
    pub(crate) phase: Phase,
    pub(crate) in_sync: bool,
    pub(crate) ready: bool,
    pub(crate) membership: u64,
    pub(crate) members: Vec<MemberStatus>,
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
    pub(crate) log_slots: u64,
    pub(crate) remembered_keys: u64,
    pub(crate) digest_mismatches: u64,
    pub(crate) inherited_keys: u64,
}

/// One other member.
#[derive(Clone, Debug)]
pub(crate) struct MemberStatus {
    pub(crate) replica: ReplicaId,
    pub(crate) pod: String,
    pub(crate) phase: MemberPhase,
    pub(crate) linked: bool,
}

// === impl Engine ===

impl Engine {
    /// The present state.
    pub(crate) fn status(&self) -> Status {
        let usage = self.usage.total();
        let roster = self.roster();
        let shards = 0..self.shards.len();
        let sum = |of: fn(&baton_replica::Shard) -> usize| shards.clone().map(|at| self.inspect(at, of) as u64).sum();
        Status {
            group: self.identity.group.clone(),
            replica: roster.me(),
            pod_name: self.identity.pod_name.clone(),
            phase: *self.phase.borrow(),
            in_sync: self.in_sync(),
            ready: self.is_ready(),
            membership: self.membership_number(),
            members: self.members_of(&roster),
            keys: usage.entries.max(0) as u64,
            bytes: usage.bytes.max(0) as u64,
            log_slots: sum(baton_replica::Shard::log_slots),
            remembered_keys: sum(baton_replica::Shard::remembered_keys),
            inherited_keys: self.inherited_keys(),
            digest_mismatches: sum(|shard| shard.digest_mismatches() as usize),
        }
    }

    /// The other members.
    pub(super) fn members_of(&self, roster: &Roster) -> Vec<MemberStatus> {
        let list = self.membership.borrow().clone();
        let pod = |id: ReplicaId| {
            let row = list.as_ref().and_then(|list| list.member(id));
            row.map(|row: &Member| row.pod_name.clone()).unwrap_or_default()
        };
        let member = |(id, peer): (ReplicaId, Peer)| MemberStatus {
            replica: id,
            pod: pod(id),
            phase: peer.phase,
            linked: self.links.get(id).is_some(),
        };
        roster.members().map(member).collect()
    }

    /// Whether the process has applied what its peers had a moment ago.
    pub(crate) fn in_sync(&self) -> bool {
        let now_in_sync = self.shards.iter().all(|cell| cell.shard.lock().lacks_nothing_known());
        self.was_in_sync.store(now_in_sync, Ordering::Relaxed);
        if self.note_if_caught_up() {
            return true;
        }
        let caught_up_at = self.caught_up_at.load(Ordering::Relaxed);
        caught_up_at > 0 && self.uptime_millis() - caught_up_at <= IN_SYNC_MILLIS
    }

    /// Nothing has come since the process was in sync, so it is now.
    pub(super) fn note_if_caught_up(&self) -> bool {
        let caught_up = self.was_in_sync.load(Ordering::Relaxed);
        if caught_up {
            self.caught_up_at.store(self.uptime_millis().max(1), Ordering::Relaxed);
        }
        caught_up
    }

    /// Whether traffic should come to this pod: being in sync gates the first time; afterwards only having to take the
    /// whole state again does, since a fault between agents must not empty the Service.
    pub(crate) fn is_ready(&self) -> bool {
        if !self.holds_state() {
            return false;
        }
        if self.was_ready.load(Ordering::Relaxed) {
            return !self.shards.iter().any(|cell| cell.shard.lock().is_rejoining());
        }
        let ready = self.in_sync();
        self.was_ready.fetch_or(ready, Ordering::Relaxed);
        ready
    }
}
