//! All who hold the state go out of sight at once, and when that lasts, somebody starts without it. In the end they meet.

use baton_replica::{ReplicaId, Shard};

use super::{Event, World};
use crate::agent::Agent;
use crate::operator::News;

// === impl World ===

impl World {
    /// Nobody reaches those who hold the state, and a pod comes that does not; after some time the operator waits no longer.
    /// Together they still reach each other.
    pub(super) fn eclipse(&mut self, millis: u64, patience: u64, together: bool) {
        // One who comes back from elsewhere cannot know what a state had that nobody has seen for long.
        if !self.away().is_empty() {
            return;
        }
        let hidden: Vec<ReplicaId> = self
            .agents
            .values()
            .filter(|agent| agent.shards.iter().any(|shard| !shard.is_joining()))
            .map(|a| a.id)
            .collect();
        self.out_of_sight.extend(&hidden);
        self.eclipse = self.now + millis;
        for id in self.agents.keys().copied().collect::<Vec<_>>() {
            for other in hidden.iter().copied().filter(|other| !(together && hidden.contains(&id)) && *other != id) {
                self.part_for(id, other, millis);
            }
        }
        for id in hidden {
            self.add(millis, Event::Found(id));
        }
        self.add(patience, Event::LongSilence);
        let revision = self.revision;
        self.start_pod(revision);
    }

    /// A process that starts while others are out of sight does not reach them either.
    pub(super) fn hide_from(&mut self, id: ReplicaId) {
        if self.now < self.eclipse {
            for other in self.out_of_sight.iter().copied().collect::<Vec<_>>() {
                self.part_for(id, other, self.eclipse - self.now);
            }
        }
    }

    pub(super) fn silence_lasts(&mut self) {
        let reached =
            |agent: &Agent| !self.out_of_sight.contains(&agent.id) && !agent.shards.iter().all(Shard::is_joining);
        if !self.out_of_sight.is_empty() && !self.agents.values().any(reached) {
            self.tell_operator(News::Silence);
        }
    }

    fn part_for(&mut self, one: ReplicaId, other: ReplicaId, millis: u64) {
        self.block(one, other, millis);
        self.block(other, one, millis);
    }
}
