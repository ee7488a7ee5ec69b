//! How the process leaves: the shell around [`Lifecycle`], which decides.

mod receipt;
mod timeline;

use std::collections::BTreeSet;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_replica::{
    Action, Budget, Handover, Lifecycle, MemberPhase, Need, Outcome, Progress, ReplicaId, Shard, VersionVector,
};
use baton_telemetry::Tracer;
use baton_wire::directory::handoff_report::Stage;
use futures_util::future::select_all;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use self::timeline::Timeline;
use crate::control::DepartureReport;
use crate::engine::Engine;
use crate::metric::Metrics;
use crate::run::random_id;

/// Hooks and signals waiting at once; the kubelet calls one, a person perhaps a second.
const MAX_COMMANDS: usize = 16;

/// The longest that the departure goes without looking at its progress, should a signal be missed.
const LOOK: Duration = Duration::from_millis(100);

/// How long the end waits for the receipt and the spans to be taken; well within the margin that the last deadline leaves.
const RECEIPT_WAIT: Duration = Duration::from_millis(200);

/// Asks the process to leave.
#[derive(Clone)]
pub(crate) struct DepartureHandle {
    commands: mpsc::Sender<Command>,
}

enum Command {
    Hook(oneshot::Sender<DepartureReport>),
    Release(oneshot::Sender<bool>),
    Stop,
}

/// The departure of this process.
pub(crate) struct Departure {
    engine: Arc<Engine>,
    metrics: Arc<Metrics>,
    tracer: Tracer,
    timeline: Timeline,
    life: Lifecycle,
    commands: mpsc::Receiver<Command>,
    hooks: Vec<oneshot::Sender<DepartureReport>>,
    watermark: Option<Vec<VersionVector>>,
    termination_log: PathBuf,
    budget: Budget,
}

// === impl DepartureHandle ===

impl DepartureHandle {
    /// The preStop hook: holds until everything known now is handed off, or has failed to be. `None` if the process is
    /// ending.
    pub(crate) async fn hook(&self) -> Option<DepartureReport> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Hook(answer)).await.ok()?;
        answered.await.ok()
    }

    /// A person gives it up: what is held ends now, as failed. Whether something was held.
    pub(crate) async fn release(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        let sent = self.commands.send(Command::Release(answer)).await.is_ok();
        sent && answered.await.unwrap_or(false)
    }

    /// SIGTERM: the app is gone.
    pub(crate) async fn stop(&self) {
        let _ = self.commands.send(Command::Stop).await;
    }
}

// === impl Departure ===

impl Departure {
    /// A process that has just started.
    pub(crate) fn new(
        engine: Arc<Engine>,
        metrics: Arc<Metrics>,
        tracer: Tracer,
        budget: Budget,
        termination_log: PathBuf,
    ) -> (DepartureHandle, Self) {
        let (sender, commands) = mpsc::channel(MAX_COMMANDS);
        let life = Lifecycle::new(budget);
        let departure = Self {
            engine,
            metrics,
            tracer,
            timeline: Timeline::default(),
            life,
            commands,
            hooks: Vec::new(),
            watermark: None,
            termination_log,
            budget,
        };
        (DepartureHandle { commands: sender }, departure)
    }

    /// Follows the process from its start to its end, and leaves the receipt with a peer, the operator and the kubelet.
    pub(crate) async fn run(mut self) -> DepartureReport {
        let receipt = self.follow().await;
        self.leave_for_kubelet(&receipt);
        let (replica, pod) = (self.engine.replica(), &self.engine.identity().pod_name);
        self.timeline.tell(&self.tracer, replica, pod, &receipt);
        tokio::join!(self.leave_with_others(&receipt), async {
            let _ = timeout(RECEIPT_WAIT, self.tracer.flush()).await;
        });
        receipt
    }

    async fn follow(&mut self) -> DepartureReport {
        let mut lists = self.engine.membership();
        loop {
            self.notice();
            if let Some(receipt) = self.act() {
                return receipt;
            }
            let (engine, patience) = (self.engine.clone(), self.patience());
            tokio::select! {
                command = self.commands.recv() => self.command(command),
                _ = lists.changed() => {}
                () = engine.departure_progress() => {}
                () = sleep(patience) => {}
            }
        }
    }

    /// Waits a moment for a peer and for the operator to take the receipt; either is enough, and the kubelet has it too.
    async fn leave_with_others(&self, receipt: &DepartureReport) {
        let report = receipt::for_operator(&self.engine, Stage::Sealed, receipt);
        let links = self.engine.links().all();
        for link in &links {
            link.leave_receipt(report.clone());
        }
        let kept = links.iter().map(|link| Box::pin(link.receipt_kept.notified()));
        let peer = async { if links.is_empty() { pending().await } else { select_all(kept).await.0 } };
        let taken = async {
            tokio::select! { () = peer => {}, () = self.engine.reports().drained() => {} }
        };
        let _ = timeout(RECEIPT_WAIT, taken).await;
    }

    fn leave_for_kubelet(&self, receipt: &DepartureReport) {
        let path = &self.termination_log;
        if let Err(error) = receipt::leave_for_kubelet(receipt, path) {
            warn!(%error, path = %path.display(), "Cannot write the termination message");
        }
    }

    fn command(&mut self, command: Option<Command>) {
        let now = self.engine.uptime_millis();
        match command {
            Some(Command::Hook(answer)) => {
                self.hooks.push(answer);
                self.timeline.is_held();
                self.life.hook(now);
            }
            Some(Command::Release(answer)) => {
                let held = self.life.release(now);
                if held {
                    warn!("A person has ended the departure, as failed");
                }
                // Whether the caller still listens makes no difference.
                let _ = answer.send(held);
            }
            Some(Command::Stop) => self.life.stop(now),
            None => {}
        }
    }

    /// Takes note of what has changed around the process.
    fn notice(&mut self) {
        let now = self.engine.uptime_millis();
        if self.engine.is_fenced() && !self.life.leaving() {
            self.begin_again();
        }
        let list = self.engine.membership().borrow().clone();
        if let Some(list) = list {
            self.life.set_handoff_timeout(list.settings.handoff_timeout);
            let me = self.engine.replica();
            if list.first == Some(me) && !self.engine.holds_state() && !self.life.leaving() {
                info!("Starting without state, as the member list allows");
                self.engine.start_empty();
            }
            if let Some(row) = list.member(me).filter(|row| row.phase == MemberPhase::Leaving) {
                self.life.terminating(row.grace, now);
            }
        }
        if self.engine.holds_state() {
            self.life.bootstrapped();
        }
    }

    /// The group has removed this process, as it does with one that it takes for dead: it joins again as a new one. Who
    /// leaves anyway goes on leaving, and finds nobody to hand off to.
    fn begin_again(&mut self) {
        let (former, replica) = (self.engine.replica(), random_id());
        self.engine.take_new_id(replica);
        (self.life, self.timeline) = (Lifecycle::new(self.budget), Timeline::default());
        self.engine.set_phase(self.life.phase());
        error!(%former, %replica, "The group has removed this agent; it joins again under a new id");
    }

    /// Does what the lifecycle asks; returns the receipt when the process may end.
    fn act(&mut self) -> Option<DepartureReport> {
        loop {
            let now = self.engine.uptime_millis();
            if self.life.leaving() {
                let (watermark, everything) = self.progress();
                self.life.progress(watermark, everything, now);
            }
            self.life.tick(now);
            let Some(action) = self.life.poll_action() else {
                self.engine.set_phase(self.life.phase());
                return None;
            };
            match action {
                Action::AnnounceLeaving => {
                    self.engine.update_roster(baton_replica::Roster::leave);
                    self.engine.set_phase(self.life.phase());
                    self.timeline.leaves();
                    info!("Leaving");
                    self.report(Stage::Started, Outcome::Nothing);
                }
                Action::TakeWatermark => {
                    info!("Holding the preStop hook");
                    self.watermark = Some(self.engine.clocks());
                    self.engine.ask_again();
                }
                Action::ReturnHook(outcome) => self.return_hooks(outcome),
                Action::Seal => {
                    self.engine.seal();
                    info!("Sealed: no more writes");
                }
                Action::Exit(outcome) => return Some(self.report(Stage::Sealed, outcome)),
            }
        }
    }

    fn return_hooks(&mut self, outcome: Outcome) {
        let receipt = self.report(Stage::Hook, outcome);
        if outcome == Outcome::Failed {
            // Who is killed in the tail has said so; who ends in order says how it went then.
            self.leave_for_kubelet(&receipt);
        }
        for hook in self.hooks.drain(..) {
            let _ = hook.send(receipt.clone());
        }
    }

    fn progress(&self) -> (Progress, Progress) {
        let need = self.engine.need();
        let clocks = self.engine.clocks();
        let everything = self.engine.progress(&clocks, need);
        let watermark =
            self.watermark.as_ref().map_or(Progress::Uncovered, |clocks| self.engine.progress(clocks, need));
        // The hold waits for new owners too; who exits has said what it can, and they go on choosing without it.
        (watermark.and_handed_over(self.engine.awaited_handover() == Handover::default()), everything)
    }

    /// Writes down how it went, for the operator too.
    fn report(&self, stage: Stage, outcome: Outcome) -> DepartureReport {
        // The hook answers for its watermark; writes may have come since.
        let clocks = self.watermark.clone().filter(|_| stage == Stage::Hook).unwrap_or_else(|| self.engine.clocks());
        let survivors = self.engine.covering_survivors(&clocks);
        let covered = self.engine.progress(&clocks, self.engine.need()) == Progress::Covered;
        let receipt = receipt::write(&self.engine, &self.life, stage, outcome, &survivors, covered);
        let DepartureReport { keys, keys_unacknowledged, hold_millis, tail_millis, ref message, .. } = receipt;
        match outcome {
            Outcome::Failed => error!(keys, keys_unacknowledged, hold_millis, tail_millis, message, "Handoff failed"),
            Outcome::Acknowledged | Outcome::Nothing => {
                info!(keys, hold_millis, tail_millis, message, "Handoff report")
            }
        }
        self.metrics.handed_off(stage, outcome);
        self.engine.reports().push(receipt::for_operator(&self.engine, stage, &receipt));
        receipt
    }

    fn patience(&self) -> Duration {
        let now = self.engine.uptime_millis();
        let next = self.life.next_deadline().map(|deadline| Duration::from_millis(deadline.saturating_sub(now)));
        let look = if self.life.leaving() { LOOK } else { Duration::from_secs(1) };
        next.map_or(look, |next| next.min(look))
    }
}

// === impl Engine ===

impl Engine {
    /// How far the given clocks, one a shard, are handed off.
    fn progress(&self, clocks: &[VersionVector], need: Need) -> Progress {
        if (0..clocks.len()).all(|index| self.inspect(index, Shard::holds_nothing)) {
            return Progress::Nothing;
        }
        let covered = |(index, clock)| self.inspect(index, |shard| shard.coverage(clock, need).covered);
        if clocks.iter().enumerate().all(covered) { Progress::Covered } else { Progress::Uncovered }
    }

    /// The survivors that cover the given clocks, in every shard.
    fn covering_survivors(&self, clocks: &[VersionVector]) -> Vec<ReplicaId> {
        let need = self.need();
        let covering = |(index, clock): (usize, &VersionVector)| -> BTreeSet<ReplicaId> {
            let survivors = self.inspect(index, |shard| shard.coverage(clock, need)).survivors;
            survivors.into_iter().filter(|survivor| survivor.covers).map(|survivor| survivor.replica).collect()
        };
        let everywhere = clocks.iter().enumerate().map(covering).reduce(|all, here| &all & &here);
        everywhere.unwrap_or_default().into_iter().collect()
    }
}
