//! When a process may say that its state was handed off.
//!
//! ```text
//! Joining --bootstrapped--> Active --hook, or told that the pod is terminating--> Draining --all covered--> Tail
//!    --stop (the app is gone)--> Sealed --all covered, or deadline--> exit
//! ```
//!
//! Times are monotonic milliseconds of any origin.

use std::collections::VecDeque;
use std::time::Duration;

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

/// How a departure ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Survivors cover everything.
    Acknowledged,
    /// Time ran out before they did.
    Failed,
    /// There was nothing to hand off.
    Nothing,
}

/// What the shell must do, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell all peers and the operator that this replica leaves.
    AnnounceLeaving,
    /// Remember every shard's clock: the hook waits until that is covered.
    TakeWatermark,
    /// Let the preStop hook return.
    ReturnHook(Outcome),
    /// Seal every shard.
    Seal,
    /// Leave the receipt and end the process.
    Exit(Outcome),
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The pod's termination grace period.
    pub grace: Duration,
    /// The longest that preStop is held.
    pub handoff_timeout: Duration,
    /// How long a stop lasts that no hook came before.
    pub stop_without_hook: Duration,
}

/// How far something is handed off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is nothing in it.
    Nothing,
    /// Survivors do not cover it yet.
    Uncovered,
    /// They do.
    Covered,
}

/// The phases of one process.
#[derive(Debug)]
pub struct Lifecycle {
    phase: Phase,
    budget: Budget,
    began: Option<u64>,
    hook: Hook,
    stopped: Option<u64>,
    /// Whether the shell was told to seal: what is covered before that may not be all.
    sealed: bool,
    ended: Option<u64>,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    NotCalled,
    Held { since: u64 },
    Returned { since: u64, at: u64, outcome: Outcome },
}

// === impl Budget ===

impl Budget {
    /// What is kept for the tail: a quarter of the grace period, 5 to 30 s, at most half.
    pub fn reserve(&self) -> Duration {
        let quarter = (self.grace / 4).clamp(Duration::from_secs(5), Duration::from_secs(30));
        quarter.min(self.grace / 2)
    }

    /// How long the hook may be held.
    pub fn hold(&self) -> Duration {
        self.handoff_timeout.min(self.grace.saturating_sub(self.reserve()))
    }
}

// === impl Outcome ===

impl Outcome {
    /// Whether nothing was left behind.
    pub const fn is_safe(self) -> bool {
        !matches!(self, Self::Failed)
    }
}

impl From<Progress> for Outcome {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Nothing => Self::Nothing,
            Progress::Uncovered => Self::Failed,
            Progress::Covered => Self::Acknowledged,
        }
    }
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
            stopped: None,
            sealed: false,
            ended: None,
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

    /// The preStop hook was called; calling it again joins the first call.
    pub fn hook(&mut self, now: u64) {
        self.begin(now);
        match self.hook {
            Hook::NotCalled => {
                self.hook = Hook::Held { since: now };
                self.actions.push_back(Action::TakeWatermark);
            }
            Hook::Held { .. } => {}
            Hook::Returned { outcome, .. } => self.actions.push_back(Action::ReturnHook(outcome)),
        }
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
        let held = matches!(self.hook, Hook::Held { .. });
        if watermark != Progress::Uncovered && held {
            self.return_hook(watermark.into(), now);
        }
        if everything != Progress::Uncovered && self.sealed {
            self.exit(everything.into(), now);
        }
        if everything != Progress::Uncovered && self.phase == Phase::Draining {
            self.phase = Phase::Tail;
        }
    }

    /// Acts on deadlines that have passed.
    pub fn tick(&mut self, now: u64) {
        if self.hook_deadline().is_some_and(|deadline| now >= deadline) {
            self.return_hook(Outcome::Failed, now);
        }
        if self.stop_deadline().is_some_and(|deadline| now >= deadline) {
            self.exit(Outcome::Failed, now);
        }
    }

    /// When [`Self::tick`] must be called next.
    pub fn next_deadline(&self) -> Option<u64> {
        self.hook_deadline().into_iter().chain(self.stop_deadline()).min()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        self.sealed |= action == Some(Action::Seal);
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
        let Hook::Held { since } = self.hook else {
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
        self.actions.push_back(Action::Exit(outcome));
    }

    fn hook_deadline(&self) -> Option<u64> {
        let Hook::Held { .. } = self.hook else {
            return None;
        };
        Some(self.began? + millis(self.budget.hold()))
    }

    fn stop_deadline(&self) -> Option<u64> {
        let stopped = self.stopped.filter(|_| self.ended.is_none())?;
        let end = match self.hook {
            Hook::NotCalled => stopped + millis(self.budget.stop_without_hook.max(MIN_STOP)),
            Hook::Held { .. } | Hook::Returned { .. } => {
                let grace = self.budget.grace.saturating_sub((self.budget.grace / 10).min(MAX_NOTICE));
                (stopped + millis(MIN_STOP)).max(self.began? + millis(grace))
            }
        };
        Some(end - millis(EXIT_MARGIN))
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active(grace: u64) -> Lifecycle {
        let grace = Duration::from_secs(grace);
        let stop_without_hook = Duration::from_secs(2);
        let mut life = Lifecycle::new(Budget { grace, handoff_timeout: Duration::from_secs(20), stop_without_hook });
        life.bootstrapped();
        life
    }

    fn actions(life: &mut Lifecycle) -> Vec<Action> {
        std::iter::from_fn(|| life.poll_action()).collect()
    }

    #[test]
    fn the_hook_returns_when_its_watermark_is_covered_and_not_before() {
        let mut life = active(30);
        life.hook(1_000);
        assert_eq!(actions(&mut life), [Action::AnnounceLeaving, Action::TakeWatermark]);
        life.progress(Progress::Uncovered, Progress::Uncovered, 1_010);
        assert_eq!(actions(&mut life), []);
        life.progress(Progress::Covered, Progress::Uncovered, 1_020);
        assert_eq!(actions(&mut life), [Action::ReturnHook(Outcome::Acknowledged)]);
        assert_eq!((life.phase(), life.held_millis()), (Phase::Draining, Some(20)));
    }

    #[test]
    fn a_hook_that_is_never_covered_fails_at_its_deadline_and_leaves_the_reserve() {
        let mut life = active(30);
        life.hook(0);
        actions(&mut life);
        life.tick(19_999);
        assert_eq!(actions(&mut life), []);
        assert_eq!(life.next_deadline(), Some(20_000));
        life.tick(20_000);
        assert_eq!(actions(&mut life), [Action::ReturnHook(Outcome::Failed)]);
    }

    #[test]
    fn a_short_grace_period_keeps_half_of_it_for_the_tail() {
        let budget = |grace| active(grace).budget;
        assert_eq!(budget(4).hold(), Duration::from_secs(2));
        assert_eq!(budget(15).hold(), Duration::from_secs(10));
        assert_eq!(budget(30).hold(), Duration::from_secs(20));
    }

    #[test]
    fn a_sealed_replica_exits_with_success_only_when_everything_is_covered() {
        let mut life = active(30);
        life.hook(0);
        life.progress(Progress::Covered, Progress::Covered, 5);
        assert_eq!(life.phase(), Phase::Tail);
        life.stop(1_000);
        actions(&mut life);
        life.progress(Progress::Covered, Progress::Uncovered, 1_100);
        assert_eq!(actions(&mut life), []);
        life.tick(26_699);
        assert_eq!(actions(&mut life), []);
        life.tick(26_700);
        assert_eq!(actions(&mut life), [Action::Exit(Outcome::Failed)]);
        life.progress(Progress::Covered, Progress::Covered, 26_800);
        assert_eq!(actions(&mut life), [], "a failure that was said is not taken back");
    }

    #[test]
    fn coverage_from_before_the_seal_ends_nothing() {
        let mut life = active(30);
        life.hook(0);
        life.progress(Progress::Covered, Progress::Covered, 5);
        life.stop(1_000);
        life.progress(Progress::Covered, Progress::Covered, 1_001);
        let before_seal = actions(&mut life);
        assert_eq!(before_seal.last(), Some(&Action::Seal), "a write may come in before the shards are sealed");
        life.progress(Progress::Covered, Progress::Covered, 1_002);
        assert_eq!(actions(&mut life), [Action::Exit(Outcome::Acknowledged)]);
    }

    #[test]
    fn a_stop_late_in_the_grace_period_still_has_two_seconds() {
        let mut life = active(30);
        life.hook(0);
        life.stop(40_000);
        assert_eq!(life.next_deadline(), Some(20_000), "the hook is still held and overdue");
        life.tick(40_000);
        assert_eq!(life.next_deadline(), Some(41_700));
    }

    #[test]
    fn a_second_call_of_the_hook_is_the_same_operation() {
        let mut life = active(30);
        life.hook(0);
        life.hook(10);
        assert_eq!(actions(&mut life), [Action::AnnounceLeaving, Action::TakeWatermark]);
        life.progress(Progress::Covered, Progress::Covered, 20);
        life.hook(30);
        let answer = Action::ReturnHook(Outcome::Acknowledged);
        assert_eq!(actions(&mut life), [answer, answer]);
    }

    #[test]
    fn a_replica_that_holds_nothing_leaves_at_once() {
        let mut life = Lifecycle::new(active(30).budget);
        life.hook(0);
        life.progress(Progress::Nothing, Progress::Nothing, 0);
        life.stop(1);
        let mut all = actions(&mut life);
        life.progress(Progress::Nothing, Progress::Nothing, 1);
        all.extend(actions(&mut life));
        assert!(all.contains(&Action::ReturnHook(Outcome::Nothing)) && all.contains(&Action::Exit(Outcome::Nothing)));
    }
}
