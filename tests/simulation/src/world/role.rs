//! Steps of scenes: what named pods do.

use baton_replica::ReplicaId;

use super::{Event, World};
use crate::invariant::Violation;

// === impl World ===

impl World {
    /// The process in a pod.
    pub(super) fn played_by(&self, pod: u32) -> Option<ReplicaId> {
        self.pods.get(&pod)?.agent
    }

    /// Two pods exchange all that they have to say.
    pub(super) fn meet(&mut self, a: u32, b: u32) {
        if let Some(wire) = self.wire_between(a, b) {
            self.exchange(wire);
        }
    }

    /// One message arrives.
    pub(super) fn hear(&mut self, from: u32, to: u32) {
        if let (Some(wire), Some(to)) = (self.wire_between(from, to), self.played_by(to)) {
            self.add(0, Event::Deliver { wire, to });
        }
    }

    /// Two pods cannot reach each other any more, and both notice it at once. What was on its way is lost.
    pub(super) fn part(&mut self, a: u32, b: u32) -> Result<(), Violation> {
        let (Some(wire), Some(one), Some(other)) = (self.wire_between(a, b), self.played_by(a), self.played_by(b))
        else {
            return Ok(());
        };
        self.network.blocked.extend([(one, other), (other, one)]);
        self.network.cut(wire);
        for end in &mut self.network.wires[wire].ends {
            end.queue.clear();
        }
        self.notice(wire, one)?;
        self.notice(wire, other)
    }

    /// Two pods can reach each other again.
    pub(super) fn unite(&mut self, a: u32, b: u32) {
        if let (Some(one), Some(other)) = (self.played_by(a), self.played_by(b)) {
            self.heal(one, other);
            self.heal(other, one);
        }
    }

    fn wire_between(&self, a: u32, b: u32) -> Option<usize> {
        self.network.between(self.played_by(a)?, self.played_by(b)?)
    }
}
