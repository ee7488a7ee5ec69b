//! The actions of the schedule.

use baton_replica::ReplicaId;

use super::{Event, World};
use crate::invariant::Violation;
use crate::pod::App;
use crate::schedule::Action;

// === impl World ===

impl World {
    pub(super) fn act(&mut self, number: usize) -> Result<(), Violation> {
        let action = self.plan[number].action;
        self.stop_flowing();
        self.trace.mix(number as u64);
        self.trace.say(self.now, || format!("#{number} {action:?}"));
        match action {
            Action::Write { at, write } => self.write(at, write)?,
            Action::Exchange { at } => {
                if let Some(wire) = self.some_wire(at) {
                    self.exchange(wire);
                }
            }
            Action::Deliver { at, count } => {
                if let Some(wire) = self.some_wire(at >> 1) {
                    let to = self.network.wires[wire].ends[(at & 1) as usize].replica;
                    for _ in 0..count {
                        self.add(0, Event::Deliver { wire, to });
                    }
                }
            }
            Action::Cut { at } => {
                if let Some(wire) = self.some_wire(at) {
                    self.cut(wire);
                }
            }
            Action::Partition { a, b, millis, one_way } => {
                if let (Some(a), Some(b)) = (self.some_agent(a), self.some_agent(b)) {
                    self.block(a, b, millis);
                    if !one_way {
                        self.block(b, a, millis);
                    }
                }
            }
            Action::Isolate { at, millis } => {
                if let Some(lone) = self.some_agent(at) {
                    self.isolate(lone, millis);
                }
            }
            Action::Freeze { at, millis } => {
                if let Some(id) = self.some_agent(at) {
                    self.freeze(id, millis);
                }
            }
            Action::Crash { at, millis } => self.crash(at, millis),
            Action::Lose { at } => self.lose(at),
            Action::Exile { at, removed, back, frozen } => {
                if let Some(id) = self.some_agent(at) {
                    self.exile(id, removed, back, frozen);
                }
            }
            Action::ExilePod { pod, removed, back } => {
                if let Some(id) = self.played_by(pod) {
                    self.exile(id, removed, back, false);
                }
            }
            Action::Eclipse { millis, patience, together } => self.eclipse(millis, patience, together),
            Action::Start => {
                let revision = self.revision;
                self.start_pod(revision);
            }
            Action::Terminate { at, app_millis, hook_millis } => {
                if let Some(pod) = choose(&self.deletable(), at) {
                    self.terminate(pod, app_millis, hook_millis);
                }
            }
            Action::Hook { at } => {
                // Of one that leaves anyway.
                let leaving = self.agents.values().filter(|agent| agent.life.leaving()).map(|agent| agent.id);
                if let Some(id) = choose(&leaving.collect::<Vec<_>>(), at) {
                    self.happen(Event::EarlyHook(id))?;
                }
            }
            Action::StopApp { at } => {
                let stopping = self.pods.iter().filter(|(_, pod)| pod.terminating.is_some() && pod.app == App::Running);
                if let Some(pod) = choose(&stopping.map(|(number, _)| *number).collect::<Vec<_>>(), at) {
                    self.stop_app(pod)?;
                }
            }
            Action::Scale { pods } => self.scale(pods as usize),
            Action::Roll { at_once } => self.roll(at_once),
            Action::Slow { at, millis } => self.slow = self.some_agent(at).map(|id| (id, millis)),
            Action::Clock { at, off } => {
                if let Some(agent) = self.some_agent(at).and_then(|id| self.agents.get_mut(&id)) {
                    agent.skew = off;
                }
            }
            Action::LoseOperator { millis } => {
                if self.operator.away.is_none() {
                    self.operator.away = Some(Vec::new());
                    self.add(millis, Event::OperatorBack);
                }
            }
            Action::MakeAnew { remembers } => self.make_anew(remembers),
            Action::MakeAnewBy { pod, millis } => self.make_anew_by(pod, millis),
            Action::Push { at, age } => {
                let list = self.operator.list_of_age(age);
                if let Some(to) = self.some_agent(at) {
                    self.happen(Event::Push { to, list: Some(list) })?;
                }
            }
            Action::Meet { a, b } => self.meet(a, b),
            Action::Hear { from, to } => self.hear(from, to),
            Action::Part { a, b } => self.part(a, b)?,
            Action::Unite { a, b } => self.unite(a, b),
            Action::WriteAt { pod, write } => {
                if let Some(id) = self.played_by(pod) {
                    self.write_at(id, write)?;
                }
            }
            Action::PushTo { pod } => {
                if let Some(to) = self.played_by(pod) {
                    self.happen(Event::Push { to, list: None })?;
                }
            }
            Action::TerminatePod { pod, app_millis, hook_millis } => self.terminate(pod, app_millis, hook_millis),
            Action::LosePod { pod } => self.lose_pod(pod),
            Action::Corrupt { at } => self.corrupt(at),
            Action::Replay { at, to } => self.replay(at, to)?,
            Action::Break { at, way } => self.broken(at, way)?,
            Action::Repeat { at } => {
                if let Some(wire) = self.some_wire(at >> 1) {
                    let to = self.network.wires[wire].ends[(at & 1) as usize].replica;
                    self.repeat(wire, to)?;
                }
            }
            Action::Release { at } => {
                let leaving = self.agents.values().filter(|agent| agent.life.leaving()).map(|agent| agent.id);
                if let Some(id) = choose(&leaving.collect::<Vec<_>>(), at) {
                    self.release_hold(id)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn isolate(&mut self, lone: ReplicaId, millis: u64) {
        for other in self.agents.keys().copied().collect::<Vec<_>>() {
            self.block(lone, other, millis);
            self.block(other, lone, millis);
        }
    }

    pub(super) fn freeze(&mut self, id: ReplicaId, millis: u64) {
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.frozen.is_none()) else { return };
        agent.frozen = Some(Vec::new());
        self.add(millis, Event::Thaw(id));
    }

    fn crash(&mut self, at: u64, millis: u64) {
        let Some(id) = self.some_agent(at) else { return };
        let Some(pod) = self.agents.get(&id).map(|agent| agent.pod) else { return };
        self.end_process(id, false);
        self.add(millis, Event::StartProcess(pod));
    }

    fn lose(&mut self, at: u64) {
        let numbers: Vec<u32> = self.pods.keys().copied().collect();
        if let Some(number) = choose(&numbers, at) {
            self.lose_pod(number);
        }
    }

    fn lose_pod(&mut self, number: u32) {
        if let Some(id) = self.pods.get(&number).and_then(|pod| pod.agent) {
            self.end_process(id, false);
        }
        self.pod_ended(number);
    }

    fn scale(&mut self, pods: usize) {
        self.wanted = pods;
        self.reconcile();
        for number in self.staying().into_iter().skip(pods) {
            let (app, hook) = (self.rng.below(self.profile.app_stop + 1), self.rng.below(20));
            self.terminate(number, app, hook);
        }
    }

    fn roll(&mut self, at_once: bool) {
        self.revision += 1;
        if at_once {
            for number in self.staying() {
                let (app, hook) = (self.rng.below(self.profile.app_stop + 1), self.rng.below(20));
                self.terminate(number, app, hook);
            }
        } else if !std::mem::replace(&mut self.rolling, true) {
            self.add(0, Event::RollStep);
        }
    }

    pub(super) fn some_agent(&self, at: u64) -> Option<ReplicaId> {
        choose(&self.agents.keys().copied().collect::<Vec<_>>(), at)
    }

    fn some_wire(&self, at: u64) -> Option<usize> {
        choose(&self.network.open().collect::<Vec<_>>(), at)
    }
}

fn choose<T: Copy>(among: &[T], at: u64) -> Option<T> {
    among.get((at % among.len().max(1) as u64) as usize).copied()
}
