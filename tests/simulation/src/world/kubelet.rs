//! Pods: how they start, how they are deleted, and who sees to it that there are enough.

use std::time::Duration;

use baton_replica::{MemberPhase, Outcome, ReplicaId};

use super::{Event, World};
use crate::agent::Agent;
use crate::invariant::{self, Invariant, Violation};
use crate::operator::News;
use crate::pod::{App, Hook, Pod};

/// The kubelet gives SIGTERM at least this long.
const MIN_STOP: u64 = 2_000;

/// More pods than this only make meetings rarer.
const MOST_PODS: usize = 6;

/// How often a rolling update looks at what it may do next.
const ROLL_STEP: u64 = 50;

// === impl World ===

impl World {
    /// Starts what is wanted; what terminates does not count.
    pub(super) fn reconcile(&mut self) {
        // In a scene nobody comes on who has no part in it.
        if self.profile.scene.is_some() && !self.calm {
            return;
        }
        let missing = self.wanted.saturating_sub(self.staying().len());
        for _ in 0..missing {
            let revision = self.revision;
            self.start_pod(revision);
        }
        let keepers = self.pods.values().filter(|pod| pod.keeper && pod.terminating.is_none()).count();
        for _ in keepers..self.profile.keepers {
            self.start_keeper();
        }
    }

    /// A pod without an app.
    fn start_keeper(&mut self) {
        self.started += 1;
        self.pods.insert(self.started, Pod::keeper());
        self.operator.keepers.insert(self.started);
        let (pod, after) = (self.started, self.rng.below(5));
        self.add(after, Event::StartProcess(pod));
    }

    pub(super) fn start_pod(&mut self, revision: u64) {
        if self.pods.len() >= 2 * MOST_PODS || self.staying().len() >= MOST_PODS {
            return;
        }
        self.started += 1;
        self.pods.insert(self.started, Pod::new(revision));
        let (pod, after) = (self.started, self.rng.below(5));
        self.add(after, Event::StartProcess(pod));
    }

    /// Pods with an app that are not being deleted.
    pub(super) fn staying(&self) -> Vec<u32> {
        let stays = |pod: &Pod| pod.terminating.is_none() && !pod.keeper;
        self.pods.iter().filter(|(_, pod)| stays(pod)).map(|(number, _)| *number).collect()
    }

    /// Pods that are not being deleted, keepers among them.
    pub(super) fn deletable(&self) -> Vec<u32> {
        self.pods.iter().filter(|(_, pod)| pod.terminating.is_none()).map(|(number, _)| *number).collect()
    }

    pub(super) fn start_process(&mut self, number: u32) -> Result<(), Violation> {
        if self.pods.get(&number).is_none_or(|pod| pod.agent.is_some()) {
            return Ok(());
        }
        let id = self.new_id();
        let limits = self.limits_of(id);
        let mut agent = Agent::new(id, number, self.profile.shards, limits, self.profile.grace, self.now);
        agent.skew = self.profile.off(self.rng.below(self.profile.skew + 1));
        if self.profile.watches(id) {
            agent.watch();
        }
        self.trace.say(self.now, || format!("{id} starts in pod {number} with {limits:?}"));
        self.enter(agent);
        self.after(id)
    }

    /// Short ids read well; one is never used twice.
    pub(super) fn new_id(&mut self) -> ReplicaId {
        loop {
            let id = ReplicaId::new(self.rng.within(0x10, 0xffff)).unwrap_or_else(|| unreachable!("not zero"));
            let used = self.agents.contains_key(&id) || self.oracle.ended.iter().any(|ended| ended.id == id);
            if !used {
                return id;
            }
        }
    }

    /// A process with an id that nobody knows yet says hello.
    pub(super) fn enter(&mut self, agent: Agent) {
        let (id, number) = (agent.id, agent.pod);
        self.agents.insert(id, agent);
        let Some(pod) = self.pods.get_mut(&number) else { return };
        pod.agent = Some(id);
        let revision = pod.revision;
        self.hide_from(id);
        self.tell_operator(News::Hello { replica: id, pod: number, revision });
    }

    /// A pod is deleted.
    pub(super) fn terminate(&mut self, number: u32, app_millis: u64, hook_millis: u64) {
        let (now, grace) = (self.now, self.profile.grace);
        let Some(pod) = self.pods.get_mut(&number).filter(|pod| pod.terminating.is_none()) else { return };
        pod.terminating = Some(now);
        self.trace.say(now, || format!("pod {number} is deleted"));
        self.tell_operator(News::Terminating { pod: number, grace: Duration::from_millis(grace) });
        self.add(hook_millis, Event::Hook(number));
        self.add(app_millis, Event::StopApp(number));
        self.add(grace, Event::Kill(number));
        let after = self.rng.below(20);
        self.add(after, Event::Reconcile);
    }

    pub(super) fn hook(&mut self, number: u32) -> Result<(), Violation> {
        let now = self.now;
        let Some(pod) = self.pods.get_mut(&number).filter(|pod| pod.hook == Hook::NotCalled) else { return Ok(()) };
        let Some(agent) = pod.agent.and_then(|id| self.agents.get_mut(&id)) else {
            pod.hook = Hook::Returned;
            return self.may_stop(number);
        };
        pod.hook = Hook::Held;
        agent.life.hook(now - agent.born);
        agent.stirred = true;
        let id = agent.id;
        self.trace.say(now, || format!("the hook of {id} is called"));
        self.after(id)
    }

    /// A person, or a script, calls the hook.
    pub(super) fn early_hook(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let now = self.now;
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        self.trace.say(now, || format!("somebody calls the hook of {id}"));
        agent.life.hook(now - agent.born);
        agent.stirred = true;
        self.after(id)
    }

    /// A person ends what is held of a pod that leaves.
    pub(super) fn release_hold(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let now = self.now;
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        agent.stirred |= agent.life.release(now - agent.born);
        self.after(id)
    }

    pub(super) fn hook_returned(&mut self, id: ReplicaId, outcome: Outcome) -> Result<(), Violation> {
        self.trace.say(self.now, || format!("the hook of {id} returns {outcome:?}"));
        if outcome.is_safe() {
            Invariant::Handoff.of(invariant::handoff::check_hook(self, id))?;
            Invariant::Handover.of(invariant::handover::check_returned(self, id))?;
        } else {
            Invariant::Handover.of(invariant::handover::check_failed(self, id))?;
            Invariant::Progress.of(invariant::progress::check_hook(self, id))?;
        }
        let Some(number) = self.agents.get(&id).map(|agent| agent.pod) else { return Ok(()) };
        if let Some(pod) = self.pods.get_mut(&number).filter(|pod| pod.hook == Hook::Held) {
            pod.hook = Hook::Returned;
        }
        self.may_stop(number)
    }

    pub(super) fn stop_app(&mut self, number: u32) -> Result<(), Violation> {
        if let Some(pod) = self.pods.get_mut(&number) {
            pod.app = App::Exited;
        }
        self.may_stop(number)
    }

    fn may_stop(&mut self, number: u32) -> Result<(), Violation> {
        let now = self.now;
        let Some(pod) = self.pods.get_mut(&number).filter(|pod| pod.may_stop()) else { return Ok(()) };
        pod.stopped = Some(now);
        if pod.agent.is_none() {
            self.pod_ended(number);
            return Ok(());
        }
        self.add(0, Event::Stop(number));
        Ok(())
    }

    /// SIGTERM.
    pub(super) fn stop(&mut self, number: u32) -> Result<(), Violation> {
        let now = self.now;
        let Some(id) = self.pods.get(&number).and_then(|pod| pod.agent) else { return Ok(()) };
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        self.trace.say(now, || format!("{id} gets SIGTERM"));
        agent.life.stop(now - agent.born);
        agent.stirred = true;
        agent.writing = self.profile.late_writes;
        self.after(id)
    }

    /// The grace period is over: what was not asked to stop is asked now, and killed a moment later.
    pub(super) fn kill(&mut self, number: u32) -> Result<(), Violation> {
        let Some(pod) = self.pods.get_mut(&number) else { return Ok(()) };
        pod.app = App::Exited;
        let Some(id) = pod.agent else {
            self.pod_ended(number);
            return Ok(());
        };
        let Some(stopped) = pod.stopped else {
            pod.stopped = Some(self.now);
            self.add(MIN_STOP, Event::Kill(number));
            self.add(0, Event::Stop(number));
            return Ok(());
        };
        Invariant::Progress.of(invariant::progress::check_killed(self, id, stopped))?;
        self.trace.say(self.now, || format!("{id} is killed: its grace is over"));
        self.end_process(id, false);
        self.pod_ended(number);
        Ok(())
    }

    /// The process has ended by itself.
    pub(super) fn exited(&mut self, id: ReplicaId, outcome: Outcome) -> Result<(), Violation> {
        self.trace.say(self.now, || format!("{id} exits: {outcome:?}"));
        if outcome.is_safe() {
            Invariant::Handoff.of(invariant::handoff::check_exit(self, id))?;
            let holders = Invariant::Acknowledgement.of(invariant::acknowledgement::check_handoff(self, id))?;
            for (operation, holders) in self.oracle.operations.iter_mut().zip(holders) {
                operation.holders.extend(holders);
            }
        } else {
            Invariant::Progress.of(invariant::progress::check_exit(self, id))?;
        }
        let Some(number) = self.agents.get(&id).map(|agent| agent.pod) else { return Ok(()) };
        self.end_process(id, outcome.is_safe());
        self.pod_ended(number);
        Ok(())
    }

    pub(super) fn pod_ended(&mut self, number: u32) {
        if self.pods.remove(&number).is_some() {
            self.tell_operator(News::Ended { pod: number });
            let after = self.rng.below(20);
            self.add(after, Event::Reconcile);
        }
    }

    /// A rolling update: a new pod more than wanted, then an old one less for each that is ready.
    pub(super) fn roll_step(&mut self) {
        let revision = self.revision;
        let staying = self.staying();
        let old: Vec<u32> = staying.iter().copied().filter(|number| self.pods[number].revision < revision).collect();
        let Some(oldest) = old.first().copied() else {
            self.rolling = false;
            return;
        };
        let new = staying.iter().filter(|number| self.pods[number].revision == revision);
        let ready = new.clone().filter(|number| self.is_ready(**number)).count();
        if staying.len() <= self.wanted && staying.len() < MOST_PODS {
            self.start_pod(revision);
        } else if old.len() + ready > self.wanted || staying.len() >= MOST_PODS {
            let (app, hook) = (self.rng.below(self.profile.app_stop + 1), self.rng.below(20));
            self.terminate(oldest, app, hook);
        }
        self.add(ROLL_STEP, Event::RollStep);
    }

    fn is_ready(&self, number: u32) -> bool {
        let agent = self.pods.get(&number).and_then(|pod| self.agents.get(&pod.agent?));
        agent.is_some_and(|agent| agent.member_phase() == MemberPhase::Active)
    }
}
