//! How the process leaves: the shell around [`Lifecycle`], which decides.

mod receipt;
mod timeline;

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_replica::{Action, Budget, Lifecycle, Outcome, Roster, Stage};
use baton_telemetry::Tracer;
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
    termination_log: PathBuf,
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
            termination_log,
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

    /// Does what the lifecycle asks; returns the receipt when the process may end.
    fn act(&mut self) -> Option<DepartureReport> {
        while let Some(action) = self.next_action() {
            match action {
                Action::StartEmpty => {
                    info!("Starting without state, as the member list allows");
                    self.engine.start_empty();
                }
                Action::BeginAgain => self.begin_again(),
                Action::AnnounceLeaving => {
                    self.engine.update_roster(Roster::leave);
                    self.engine.set_phase(self.life.phase());
                    self.timeline.leaves();
                    info!("Leaving");
                    self.report(Stage::Started, Outcome::Nothing);
                }
                Action::AskAgain => {
                    info!("Holding the preStop hook");
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
        self.engine.set_phase(self.life.phase());
        None
    }

    fn next_action(&mut self) -> Option<Action> {
        let list = self.engine.membership().borrow().clone();
        let around = self.engine.surroundings(list.as_deref());
        self.life.next_action(&around, &*self.engine, self.engine.uptime_millis())
    }

    fn begin_again(&mut self) {
        let (former, replica) = (self.engine.replica(), random_id());
        self.engine.take_new_id(replica);
        error!(%former, %replica, "The group has removed this agent; it joins again under a new id");
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

    /// Writes down how it went, for the operator too.
    fn report(&self, stage: Stage, outcome: Outcome) -> DepartureReport {
        let list = self.engine.membership().borrow().clone();
        let around = self.engine.surroundings(list.as_deref());
        let receipt = receipt::write(&self.engine, &self.life.account(stage, outcome, &around, &*self.engine));
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
