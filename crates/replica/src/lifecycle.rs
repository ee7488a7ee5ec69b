//! When a process may say that its state was handed off.
//!
//! ```text
//! Joining --bootstrapped--> Active --hook, or told that the pod is terminating--> Draining --all covered--> Tail
//!    --stop (the app is gone)--> Sealed --all covered, or deadline--> exit
//! ```
//!
//! A person may release what is held: it ends at once, as failed. A process that the group has removed begins again, and
//! leaves under its new id if it was about to. It is not sealed before it has issued again what it held.
//!
//! Times are monotonic milliseconds of any origin.

mod account;
mod budget;
mod progress;
mod shards;
mod surroundings;

use std::collections::VecDeque;
use std::time::Duration;

pub use account::{Account, Stage};
pub use budget::Budget;
pub use progress::{Outcome, Progress};
pub use shards::Shards;
pub use surroundings::Surroundings;

use crate::VersionVector;
use crate::mutant::{Mutant, active};

/// The kubelet stops a container at once when its grace is used up, but never gives SIGTERM less than this.
const MIN_STOP: Duration = Duration::from_secs(2);

/// What the process needs to write its result and exit, taken off every final deadline.
const EXIT_MARGIN: Duration = Duration::from_millis(300);

/// The kubelet's clock runs before this process hears of it: to start the hook takes a busy node a second or two.
/// Whoever uses the grace period up to its end is killed with its result unsaid.
const MAX_NOTICE: Duration = Duration::from_secs(3);

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It does not hold the state yet.
    Joining,
    /// It serves and stays.
    Active,
    /// It leaves, serves its app, and hands off what it knew when it began to.
    Draining,
    /// What it knew is handed off; writes go on, each acknowledged by a survivor.
    Tail,
    /// The app is gone; the last writes are handed off.
    Sealed,
}

/// What the shell must do, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start every shard without state: the list allows it.
    StartEmpty,
    /// Go on under a new id, without state, with what is held to be issued again: the group has removed this one.
    BeginAgain,
    /// Tell all peers and the operator that this replica leaves.
    AnnounceLeaving,
    /// Ask all peers once more what they have: the hook waits until what is known now is covered.
    AskAgain,
    /// Let the preStop hook return.
    ReturnHook(Outcome),
    /// Seal every shard.
    Seal,
    /// Leave the receipt and end the process.
    Exit(Outcome),
}

/// The phases of one process.
#[derive(Debug)]
pub struct Lifecycle {
    phase: Phase,
    budget: Budget,
    began: Option<u64>,
    hook: Hook,
    /// Every shard's clock when the hook was called.
    watermark: Option<Vec<VersionVector>>,
    stopped: Option<u64>,
    /// Whether the shell was told to seal: what is covered before that may not be all.
    sealed: bool,
    ended: Option<u64>,
    /// Whether a person gave the departure up: it is a failure then, whatever is covered later.
    released: bool,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    NotCalled,
    /// Until the watermark is taken, what is covered is that of an earlier call.
    Held {
        since: u64,
        marked: bool,
    },
    Returned {
        since: u64,
        at: u64,
        outcome: Outcome,
    },
}

// === impl Lifecycle ===

impl Lifecycle {
    /// A process that has just started.
    pub fn new(budget: Budget) -> Self {
        Self {
            phase: Phase::Joining,
            budget,
            began: None,
            hook: Hook::NotCalled,
            watermark: None,
            stopped: None,
            sealed: false,
            ended: None,
            released: false,
            actions: VecDeque::new(),
        }
    }

    /// The phase.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the process leaves.
    pub const fn leaving(&self) -> bool {
        self.began.is_some()
    }

    /// All shards hold the state.
    pub fn bootstrapped(&mut self) {
        if self.phase == Phase::Joining {
            self.phase = Phase::Active;
        }
    }

    /// The group's settings changed.
    pub fn set_handoff_timeout(&mut self, timeout: Duration) {
        self.budget.handoff_timeout = timeout;
    }

    /// The operator says that the pod is terminating, with this grace period if it knows.
    pub fn terminating(&mut self, grace: Option<Duration>, now: u64) {
        if let Some(grace) = grace {
            self.budget.grace = grace;
        }
        self.begin(now);
    }

    /// The preStop hook was called. A call while one is held is the same operation; a later one holds anew, for what is
    /// known by then and with a time of its own: it may be the kubelet's after a person's.
    pub fn hook(&mut self, now: u64) {
        self.begin(now);
        if matches!(self.hook, Hook::NotCalled | Hook::Returned { .. }) {
            self.hook = Hook::Held { since: now, marked: false };
            self.actions.push_back(Action::AskAgain);
        }
        if self.released {
            self.return_hook(given_up(), now);
        }
    }

    /// A person ends what is held now, the hook or the seal, as failed. Nothing that is covered later makes a success of
    /// it, and a seal that follows gets no more time than the kubelet leaves anyone. Whether something was held.
    pub fn release(&mut self, now: u64) -> bool {
        let sealed = self.stopped.is_some() && self.ended.is_none();
        if !sealed && !matches!(self.hook, Hook::Held { .. }) {
            return false;
        }
        self.released = true;
        self.return_hook(given_up(), now);
        if sealed {
            self.exit(given_up(), now);
        }
        true
    }

    /// Whether a person gave the departure up.
    pub const fn released(&self) -> bool {
        self.released
    }

    /// SIGTERM: the app is gone.
    pub fn stop(&mut self, now: u64) {
        if self.stopped.is_some() {
            return;
        }
        self.begin(now);
        self.stopped = Some(now);
        self.phase = Phase::Sealed;
        self.actions.push_back(Action::Seal);
    }

    /// How far the watermark, and everything, is handed off.
    pub fn progress(&mut self, watermark: Progress, everything: Progress, now: u64) {
        let early = active(Mutant::HookBeforeWatermark);
        let held = matches!(self.hook, Hook::Held { marked, .. } if marked || early);
        if watermark != Progress::Uncovered && held {
            self.return_hook(watermark.into(), now);
        }
        let sealed = self.sealed || active(Mutant::ExitBeforeSeal);
        if everything != Progress::Uncovered && sealed {
            self.exit(everything.into(), now);
        }
        if everything != Progress::Uncovered && self.phase == Phase::Draining {
            self.phase = Phase::Tail;
        }
    }

    /// Acts on deadlines that have passed.
    pub fn tick(&mut self, now: u64) {
        let late = if active(Mutant::DeadlineIsSuccess) { Outcome::Acknowledged } else { Outcome::Failed };
        if self.hook_deadline().is_some_and(|deadline| now >= deadline) {
            self.return_hook(late, now);
        }
        if self.stop_deadline().is_some_and(|deadline| now >= deadline) {
            self.exit(late, now);
        }
    }

    /// When [`Self::tick`] must be called next.
    pub fn next_deadline(&self) -> Option<u64> {
        self.hook_deadline().into_iter().chain(self.stop_deadline()).min()
    }

    /// Looks around, and says what to do next. To be called until there is nothing: what was done may have changed what
    /// there is to see.
    pub fn next_action(&mut self, around: &Surroundings<'_>, shards: &impl Shards, now: u64) -> Option<Action> {
        self.notice(around, shards.hold_state(), now);
        if self.leaving() {
            let (watermark, everything) = self.measure(around, shards);
            self.progress(watermark, everything, now);
        }
        self.tick(now);
        // What was held under a former id is handed off like all else, and a sealed shard takes in no state.
        let may_seal = !self.actions.contains(&Action::Seal) || shards.inherited() == 0;
        let action = self.poll(may_seal);
        if action == Some(Action::AskAgain) {
            self.watermark = Some(shards.clocks());
        }
        action
    }

    /// The next thing to do, by what was said so far.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.poll(true)
    }

    fn poll(&mut self, may_seal: bool) -> Option<Action> {
        let next = self.actions.iter().position(|action| may_seal || *action != Action::Seal)?;
        let action = self.actions.remove(next);
        match (action, &mut self.hook) {
            (Some(Action::Seal), _) => self.sealed = true,
            (Some(Action::AskAgain), Hook::Held { marked, .. }) => *marked = true,
            _ => {}
        }
        action
    }

    /// How long the hook was held, once it has returned.
    pub fn held_millis(&self) -> Option<u64> {
        let Hook::Returned { since, at, .. } = self.hook else {
            return None;
        };
        Some(at - since)
    }

    /// How long the seal took, once it has ended.
    pub fn tail_millis(&self) -> Option<u64> {
        Some(self.ended? - self.stopped?)
    }

    fn begin(&mut self, now: u64) {
        if self.began.is_some() {
            return;
        }
        self.began = Some(now);
        self.phase = self.phase.max(Phase::Draining);
        self.actions.push_back(Action::AnnounceLeaving);
    }

    fn return_hook(&mut self, outcome: Outcome, now: u64) {
        let Hook::Held { since, .. } = self.hook else {
            return;
        };
        self.hook = Hook::Returned { since, at: now, outcome };
        self.actions.push_back(Action::ReturnHook(outcome));
    }

    fn exit(&mut self, outcome: Outcome, now: u64) {
        if self.stopped.is_none() || self.ended.is_some() {
            return;
        }
        self.ended = Some(now);
        self.actions.push_back(Action::Exit(if self.released { given_up() } else { outcome }));
    }

    /// Counted from the hook's own start: the list may have said long before that the pod leaves, as it does of a pod
    /// that was relabelled out of its group. Not before the watermark is taken: what is covered must be looked at once.
    fn hook_deadline(&self) -> Option<u64> {
        let Hook::Held { since, marked: true } = self.hook else {
            return None;
        };
        Some(since.saturating_add(millis(self.budget.hold())))
    }

    fn stop_deadline(&self) -> Option<u64> {
        let stopped = self.stopped.filter(|_| self.ended.is_none())?;
        let end = match self.hook {
            _ if self.released => stopped + millis(MIN_STOP),
            Hook::NotCalled => stopped.saturating_add(millis(self.budget.stop_without_hook.max(MIN_STOP))),
            Hook::Held { since, .. } | Hook::Returned { since, .. } => {
                let grace = self.budget.grace.saturating_sub((self.budget.grace / 10).min(MAX_NOTICE));
                (stopped + millis(MIN_STOP)).max(since.saturating_add(millis(grace)))
            }
        };
        Some(end - millis(EXIT_MARGIN))
    }
}

/// How a departure ends that a person has given up.
fn given_up() -> Outcome {
    if active(Mutant::ReleaseIsSuccess) { Outcome::Acknowledged } else { Outcome::Failed }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
