//! The end of all faults: what must then come true, by the replicas' own means.

use baton_replica::{MemberPhase, Membership, ReplicaId, Roster};

use super::exceptions;
use super::oracle::live_state;
use super::world::World;

/// Messages after which a small group ought to be quiet.
const PATIENCE: usize = 100_000;

// === impl World ===

impl World {
    /// Ends all faults and waits until nobody has anything to say. Links that are up stay as they are: what stalls on
    /// one must not be healed by a new one.
    pub(crate) fn settle(&mut self) {
        while self.operator.bury() {}
        let stays = |world: &Self| world.nodes.values().filter(|node| node.phase != MemberPhase::Leaving).count();
        for id in self.ids().into_iter().filter(|id| !self.away.contains(id)).collect::<Vec<_>>() {
            self.push(id);
        }
        while stays(self) < self.need.acks as usize {
            let id = self.spawn();
            self.push(id);
        }
        let mut moved = 0;
        loop {
            self.repair();
            while self.turn() {
                moved += 1;
                assert!(moved < PATIENCE, "the group never gets quiet");
            }
            for id in self.ids() {
                self.node(id).flush();
            }
            if !self.turn() && !self.reissue() && !self.retire() {
                return;
            }
        }
    }

    /// Everybody who takes data holds the same, which is what the writes say; every leaver is covered; no log is kept.
    pub(crate) fn assert_settled(&self) {
        let staying = || self.nodes.iter().filter(|(_, node)| !node.sealed);
        for (id, node) in staying() {
            assert!(!node.shard.is_joining(), "{id} never got the state");
            assert!(!node.shard.is_rejoining(), "{id} waits for a transfer");
            assert!(node.shard.lacks_nothing_known(), "{id} lacks something");
            self.oracle.assert_claims_are_held(&node.shard);
            self.oracle.assert_nothing_is_undead(&node.shard);
            let (noted, kept) = (node.shard.noted_owners(), node.shard.remembered_keys());
            assert!(noted <= kept, "{id} notes the owners of {noted} keys and has {kept}");
            for (other, peer) in staying() {
                assert_eq!(node.shard.clock(), peer.shard.clock(), "{id} and {other} have seen different writes");
            }
            let exceptions = exceptions(&node.shard);
            for dot in &exceptions {
                let ended = !self.nodes.contains_key(&dot.replica);
                let lost = self.crashed.iter().any(|(_, clock)| clock.covers(*dot));
                assert!(ended && lost, "{id} holds {dot}, which somebody could have completed");
            }
            if exceptions.is_empty() {
                assert_eq!(live_state(&node.shard), self.oracle.live(&node.shard), "{id} differs from the truth");
            }
            if self.nodes.values().all(|node| !node.sealed) {
                assert_eq!(node.shard.log_slots(), 0, "{id} keeps slots that everybody has acknowledged");
            }
        }
        for (id, _) in self.nodes.iter().filter(|(_, node)| node.phase == MemberPhase::Leaving) {
            assert!(self.is_covered(*id), "{id} is never covered: {:#?}", self.shard(*id));
        }
    }

    /// Forgets the past of a group that is quiet, so that a long one costs no more than a short one.
    pub(crate) fn forget_past(&mut self) {
        self.assert_settled();
        let live = self.nodes.values().flat_map(|node| live_state(&node.shard)).flat_map(|(_, dots)| dots).collect();
        self.oracle.keep(&live);
        self.acknowledged.clear();
        self.crashed.clear();
    }

    /// The operator forgets the ids that all members have settled alike; says whether there was one.
    pub(crate) fn retire(&mut self) -> bool {
        let list = self.operator.list();
        // What settles while a removed process lives on stays listed: it may hold what it can say of nobody else.
        let removed = |id| list.member(id).is_some_and(|row| row.phase == MemberPhase::Gone);
        if self.nodes.keys().any(|id| removed(*id)) {
            return false;
        }
        let rows = || list.members.iter().filter(|member| member.phase != MemberPhase::Gone);
        let settled = |gone: &ReplicaId| {
            let said = |replica: ReplicaId| {
                let node = self.nodes.get(&replica)?;
                let same = node.roster.round() == self.round_of(&list, replica);
                node.shard.settled(*gone).filter(|_| same)
            };
            let all: Option<Vec<u64>> = rows().map(|member| said(member.replica)).collect();
            all.is_some_and(|all| all.windows(2).all(|two| two[0] == two[1]))
        };
        // Whose process lives on may come back with what nobody else has.
        let ended = |id: &ReplicaId| !self.nodes.contains_key(id);
        let retired: Vec<ReplicaId> = self.operator.gone().into_iter().filter(ended).filter(settled).collect();
        for id in &retired {
            self.operator.retire(*id);
            self.oracle.note_retired(*id);
        }
        !retired.is_empty()
    }

    /// What a member that goes by a list says of its set of ids.
    fn round_of(&self, list: &Membership, replica: ReplicaId) -> u64 {
        let mut roster = Roster::new(replica);
        roster.take(list);
        roster.round()
    }

    pub(crate) fn ids(&self) -> Vec<ReplicaId> {
        self.nodes.keys().copied().collect()
    }

    /// Whoever has come back under a new id issues again what it can; says whether anybody issued anything.
    fn reissue(&mut self) -> bool {
        let (now, holds) = (self.now, self.holds_reissues);
        let mut moved = false;
        for id in self.ids() {
            let rounds = if holds { 0 } else { self.shard(id).inherited() + 1 };
            for _ in 0..rounds {
                moved |= self.node(id).reissue(now);
            }
        }
        moved
    }

    /// New lists arrive, and broken links are made anew.
    fn repair(&mut self) {
        let here: Vec<ReplicaId> = self.ids().into_iter().filter(|id| !self.away.contains(id)).collect();
        for id in &here {
            self.push(*id);
            self.notice(*id);
        }
        for a in here.iter().copied() {
            for b in here.iter().copied().filter(|b| a < *b) {
                if self.network.link(a, b).is_none() {
                    self.connect(a, b);
                }
            }
        }
    }

    /// One round of sending and delivering; says whether anything moved.
    fn turn(&mut self) -> bool {
        let mut moved = false;
        for (from, to) in self.network.busy() {
            moved |= self.deliver(from, to);
        }
        for from in self.ids() {
            for to in self.nodes[&from].woken.clone() {
                moved |= self.pump(from, to, 2);
            }
        }
        moved
    }
}
