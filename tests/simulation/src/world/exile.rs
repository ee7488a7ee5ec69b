//! Processes that the group removes although they live: they come back under a new id, and issue again what the group has
//! nothing of.

use std::collections::BTreeSet;

use baton_replica::{Entry, Key, ReplicaId, Shard, Version};

use super::{Event, World};
use crate::agent::Agent;
use crate::invariant::{self, Invariant, Violation};
use crate::operator::News;

/// The longest pause between two looks at what was inherited, as in the agent.
const PAUSE: u64 = 100;

/// Keys that are looked at in one go, at most: there are few.
const MOST: u64 = 3;

// === impl World ===

impl World {
    /// Nobody reaches a process, and it reaches nobody; its app writes on, unless it stands still.
    pub(super) fn exile(&mut self, id: ReplicaId, removed: u64, back: u64, frozen: bool) {
        if !self.may_exile(id) {
            return;
        }
        self.out_of_sight.insert(id);
        if frozen {
            self.freeze(id, back);
        } else {
            self.isolate(id, back);
        }
        self.add(removed, Event::Lost(id));
        self.add(back, Event::Found(id));
    }

    /// As many at a time as there are, if somebody stays: where all who hold the state are removed, the group starts anew,
    /// and several may issue again what was retired before.
    fn may_exile(&self, id: ReplicaId) -> bool {
        let mut states = self.agents.values().filter(|agent| agent.holds_state()).flat_map(|agent| &agent.shards);
        let founders = states.next().map(Shard::founders);
        if self.now < self.eclipse || states.any(|shard| Some(shard.founders()) != founders) {
            return false;
        }
        let away = self.away();
        let stays = |agent: &Agent| agent.id != id && agent.holds_state() && !away.contains(&agent.pod);
        away.is_empty() || self.agents.values().any(stays)
    }

    /// Pods of processes that were removed, or will be, and that have not issued all again.
    pub(super) fn away(&self) -> BTreeSet<u32> {
        let away = |agent: &&Agent| {
            let inherits = agent.shards.iter().any(|shard| shard.inherited() > 0);
            inherits || agent.roster.is_fenced() || self.out_of_sight.contains(&agent.id)
        };
        let pods = self.agents.values().filter(away).map(|agent| agent.pod);
        pods.chain(self.operator.removed_pods()).collect()
    }

    pub(super) fn lost(&mut self, id: ReplicaId) {
        if self.out_of_sight.contains(&id) {
            self.tell_operator(News::Lost(id));
        }
    }

    pub(super) fn found(&mut self, id: ReplicaId) {
        if self.out_of_sight.remove(&id) {
            self.operator.silent.remove(&id);
            self.say_known(id);
            self.add(0, Event::Push { to: id, list: None });
        }
    }

    /// A process goes on under a new id, without state. Returns the id that it goes by.
    pub(super) fn begin_again(&mut self, former: ReplicaId) -> ReplicaId {
        let id = self.new_id();
        let Some(agent) = self.end_process(former, false) else { return former };
        self.trace.say(self.now, || format!("{former} goes on as {id}"));
        self.note_carried(&agent, id);
        let limits = self.limits_of(id);
        let mut next = Agent::new(id, agent.pod, self.profile.shards, limits, self.profile.grace, self.now);
        next.inherit(agent);
        if self.profile.watches(id) {
            next.watch();
        }
        self.enter(next);
        self.plan_dials(id);
        self.plan_reissue(id);
        id
    }

    /// What a process holds, it still holds under another id; but for what was lost before, and, if the group has started
    /// anew, for what it only knows to be over.
    fn note_carried(&mut self, agent: &Agent, id: ReplicaId) {
        for index in 0..agent.shards.len() {
            let seen = agent.seen(index);
            let entries: std::collections::BTreeMap<Key, Entry> = agent.shards[index].entries().collect();
            for number in 0..self.oracle.operations.len() {
                let operation = &self.oracle.operations[number];
                if operation.shard != index || operation.lost {
                    continue;
                }
                let entry = entries.get(&operation.key);
                let held = entry.is_some_and(|entry| operation.is_there(entry));
                let covered = self.oracle.covers(&seen, operation.dot) && !self.oracle.is_past(&seen.founders);
                let known = !held && (covered || entry.is_some_and(|entry| operation.is_held(entry)));
                let operation = &mut self.oracle.operations[number];
                if held || known {
                    operation.holders.insert(id);
                }
                if known {
                    operation.known.insert(id);
                }
            }
        }
    }

    fn plan_reissue(&mut self, id: ReplicaId) {
        let inherited = |agent: &Agent| agent.shards.iter().any(|shard| shard.inherited() > 0);
        if self.agents.get(&id).is_some_and(inherited) {
            let after = self.rng.within(1, PAUSE);
            self.add(after, Event::Reissue(id));
        }
    }

    pub(super) fn reissue(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let most = self.rng.within(1, MOST) as usize;
        for index in 0..self.profile.shards {
            let inherited = self.agents.get(&id).map_or(0, |agent| agent.shards[index].inherited());
            if inherited > 0 {
                self.reissue_some(id, index, most)?;
            }
        }
        self.plan_reissue(id);
        self.after(id)
    }

    fn reissue_some(&mut self, id: ReplicaId, index: usize, most: usize) -> Result<(), Violation> {
        let wall = self.wall(id);
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        let before = agent.shards[index].clock().get(id);
        agent.with_shard(index, None, |shard| shard.reissue(wall, most));
        // Who has nothing more to issue again may have settled others.
        agent.may_have_settled = true;
        agent.stirred = true;
        let made = agent.shards[index].clock().get(id);
        self.trace.say(self.now, || format!("{id} issues again as ({before}, {made}]"));
        self.trace.mix(id.bits() ^ made);
        for (key, entry) in agent.shards[index].entries().collect::<Vec<_>>() {
            let is_new = |version: &&Version| version.dot.replica == id && version.dot.counter > before;
            for version in entry.versions().iter().filter(is_new) {
                let noted = self.oracle.record_again(index, version.dot, &key, version);
                let number = Invariant::Convergence.of(noted)?;
                self.oracle.note_owner(number, &entry);
            }
        }
        let all =
            self.agents.get(&id).is_some_and(|agent| agent.shards.iter().all(|shard| Shard::inherited(shard) == 0));
        if all { Invariant::Acknowledgement.of(invariant::acknowledgement::check_return(self, id)) } else { Ok(()) }
    }
}
