//! The end of all faults: everything must come to rest by the agents' own means.

use baton_replica::ReplicaId;

use super::{Event, World};
use crate::invariant::{self, Invariant, Violation};
use crate::operator::News;
use crate::schedule::{Acks, If, Write, WriteKind};

/// Virtual time in which a small group comes to rest; the longest grace period is well within it.
const PATIENCE: u64 = 200_000;

/// Events after which a small group ought to be quiet. Each that is retired begins a new round about all that are not, in
/// every shard and between every two: after many crashes that takes some time.
const TALKATIVE: u64 = 2_000_000;

// === impl World ===

impl World {
    pub(super) fn end(&mut self) -> Result<(), Violation> {
        self.trace.say(self.now, || "no more faults".to_owned());
        self.stop_flowing();
        self.calm = true;
        self.over = Some(self.now);
        self.confirm_all();
        self.wanted = self.wanted.max(self.profile.settings.handoff_acks as usize);
        self.reconcile();
        self.operator_back();
        self.operator.silent.clear();
        for id in std::mem::take(&mut self.out_of_sight) {
            self.say_known(id);
            self.add(1, Event::Push { to: id, list: None });
        }
        for (from, to) in std::mem::take(&mut self.network.blocked) {
            self.plan_dials(from);
            self.plan_dials(to);
        }
        for wire in self.network.open().collect::<Vec<_>>() {
            self.release(wire);
            // What was slow holds nothing up that comes after it.
            self.network.wires[wire].ends.iter_mut().for_each(|end| end.last = self.now);
        }
        for id in self.agents.keys().copied().collect::<Vec<_>>() {
            self.thaw(id)?;
            self.plan_dials(id);
        }
        // What the members that are gone owned has its new owners before they are forgotten.
        self.operator.keeps_gone = self.profile.has_owners();
        self.rest()?;
        if self.operator.keeps_gone {
            Invariant::Ownership.of(invariant::ownership::check_end(self))?;
            self.news(News::Release);
            self.rest()?;
        }
        self.compare()?;
        self.check()?;
        Invariant::Liveness.of(invariant::liveness::check(self))?;
        Invariant::Bound.of(invariant::bound::check_end(self))?;
        Invariant::Ownership.of(invariant::ownership::check_end(self))?;
        Invariant::Join.of(invariant::transfer::check(self, &self.past))?;
        Invariant::Acknowledgement.of(invariant::acknowledgement::check_end(self))?;
        self.run_timers()?;
        self.write_everywhere()?;
        self.last_departure()?;
        self.check()?;
        Invariant::Liveness.of(invariant::liveness::check(self))?;
        Invariant::Acknowledgement.of(invariant::acknowledgement::check_end(self))
    }

    /// Every member looks for what has expired.
    fn run_timers(&mut self) -> Result<(), Violation> {
        for id in self.agents.keys().copied().collect::<Vec<_>>() {
            self.after(id)?;
        }
        Invariant::Expiry.of(invariant::expiry::check_end(self))
    }

    /// Every member writes, and waits for all others.
    fn write_everywhere(&mut self) -> Result<(), Violation> {
        let first = self.oracle.operations.len();
        for id in self.agents.keys().copied().collect::<Vec<_>>() {
            let (key, kind, acks, condition) = (self.rng.next(), WriteKind::Put, Acks::All, If::Always);
            self.write_at(id, Write { key, kind, acks, condition, bytes: 1 })?;
        }
        self.rest()?;
        Invariant::Progress.of(invariant::progress::check_answered(self, first))
    }

    /// One leaves, and another comes only if too few would be left.
    fn last_departure(&mut self) -> Result<(), Violation> {
        let ids: Vec<ReplicaId> = self.agents.keys().copied().collect();
        let at = self.rng.below(ids.len() as u64) as usize;
        let (id, stay) = (ids[at], ids.len() - 1);
        if stay >= self.profile.settings.handoff_acks as usize {
            self.wanted = self.wanted.min(self.staying().len()).saturating_sub(1).max(1);
        }
        let pod = self.agents[&id].pod;
        self.terminate(pod, 0, 0);
        self.rest()?;
        Invariant::Progress.of(invariant::progress::check_left(self, id))
    }

    /// Everything that is under way happens.
    pub(super) fn rest(&mut self) -> Result<(), Violation> {
        let (until, most) = (self.now + PATIENCE, self.events() + TALKATIVE);
        while let Some((now, event)) = self.queue.pop() {
            self.now = now;
            if now > until || self.events() > most {
                let text = format!("the group never gets quiet; the last event is {event:?}");
                return Invariant::Liveness.of(Err(text));
            }
            if !matches!(event, Event::Act(_)) {
                self.happen(event)?;
            }
        }
        Ok(())
    }
}
