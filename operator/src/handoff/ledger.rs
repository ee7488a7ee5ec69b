//! The departures of one group: every replica's receipts lead to one conclusion, said once.
//!
//! A receipt may come from the agent itself, from a peer that kept it, and from the pod's status, in any
//! order and more than once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use baton_crds::membership::{MemberPhase, MemberRow, ReplicaId};
use baton_crds::status::HandoffOutcome;

use super::{Receipt, Stage};

/// How long after a member's end its receipt may still come, from a peer or from a pod's last status.
const LATE: Duration = Duration::from_secs(15);

/// How long a departure that was concluded is remembered, so that late words about it are not news.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The departures of one group.
#[derive(Debug, Default)]
pub struct Ledger {
    departures: BTreeMap<ReplicaId, Departure>,
    /// The phases of the last look; none before the first.
    phases: Option<BTreeMap<ReplicaId, MemberPhase>>,
    /// Who had ended before the first look: told by an earlier run of the operator.
    old: BTreeSet<ReplicaId>,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A member that holds state began to leave.
    Started {
        /// Its pod's name.
        pod_name: String,
        /// Its pod's UID.
        pod_uid: String,
    },
    /// A departure came to its conclusion, or to a better one.
    Concluded(Receipt),
}

#[derive(Debug)]
struct Departure {
    started: bool,
    hook: Option<Receipt>,
    told: Option<HandoffOutcome>,
    ended: Option<Instant>,
    touched: Instant,
}

// === impl Ledger ===

impl Ledger {
    /// Takes the group's rows: who began to leave, and who has ended.
    pub fn look(&mut self, rows: &[MemberRow], now: Instant) -> Vec<Happening> {
        let mut happenings = Vec::new();
        // A member that was removed while its pod is there has not ended: it may come back.
        let ended = |row: &&MemberRow| row.phase == MemberPhase::Gone && !row.forgotten;
        let known = self.phases.as_ref();
        let phase = |row: &MemberRow| match known.and_then(|known| known.get(&row.replica)) {
            Some(before) if row.forgotten => (row.replica, *before),
            Some(_) | None => (row.replica, row.phase),
        };
        let phases = rows.iter().map(phase).collect();
        let Some(before) = self.phases.replace(phases) else {
            self.old = rows.iter().filter(ended).map(|row| row.replica).collect();
            return happenings;
        };
        for row in rows.iter().filter(|row| row.held_state && !row.forgotten) {
            let was = before.get(&row.replica).copied().unwrap_or(MemberPhase::Joining);
            if row.phase == was {
                continue;
            }
            match row.phase {
                MemberPhase::Leaving => happenings.extend(self.start(row.replica, &row.pod_name, &row.pod_uid, now)),
                // The successor in the same pod says hello before the old row ends; nothing was handed off.
                MemberPhase::Gone if !succeeded(rows, row) => self.departure(row.replica, now).ended = Some(now),
                MemberPhase::Gone | MemberPhase::Joining | MemberPhase::Active => {}
            }
        }
        happenings
    }

    /// Takes one receipt.
    pub fn note(&mut self, receipt: Receipt, now: Instant) -> Vec<Happening> {
        if self.old.contains(&receipt.replica) {
            return Vec::new();
        }
        let mut happenings: Vec<_> =
            self.start(receipt.replica, &receipt.pod_name, &receipt.pod_uid, now).into_iter().collect();
        let departure = self.departure(receipt.replica, now);
        let conclusive = match (receipt.stage, receipt.outcome) {
            (Stage::Started, _) => false,
            // The tail may still lose something, so the hook's success is not told; its failure is.
            (Stage::Hook, HandoffOutcome::Failed) => departure.told.is_none(),
            (Stage::Hook, _) => false,
            (Stage::Sealed, outcome) => departure.told != Some(outcome),
        };
        if receipt.stage == Stage::Hook {
            departure.hook = Some(receipt.clone());
        }
        if conclusive {
            departure.told = Some(receipt.outcome);
            happenings.push(Happening::Concluded(receipt));
        }
        happenings
    }

    /// Concludes departures that nobody has said anything of for too long after the member's end.
    pub fn overdue(&mut self, rows: &[MemberRow], now: Instant) -> Vec<Happening> {
        let mut happenings = Vec::new();
        for row in rows {
            let Some(departure) = self.departures.get_mut(&row.replica) else { continue };
            let late = departure.ended.is_some_and(|ended| now.saturating_duration_since(ended) >= LATE);
            if departure.told.is_some() || !late {
                continue;
            }
            let receipt = departure.hook.take().map_or_else(|| unknown(row), unfinished);
            departure.told = Some(receipt.outcome);
            happenings.push(Happening::Concluded(receipt));
        }
        let kept = |departure: &Departure| now.saturating_duration_since(departure.touched) < REMEMBERED;
        self.departures.retain(|_, departure| departure.told.is_none() || kept(departure));
        happenings
    }

    /// How long until [`Self::overdue`] has something to conclude.
    pub fn again_in(&self, now: Instant) -> Option<Duration> {
        let open = self.departures.values().filter(|departure| departure.told.is_none());
        open.filter_map(|departure| Some(LATE.saturating_sub(now.saturating_duration_since(departure.ended?)))).min()
    }

    fn start(&mut self, replica: ReplicaId, pod_name: &str, pod_uid: &str, now: Instant) -> Option<Happening> {
        let departure = self.departure(replica, now);
        if std::mem::replace(&mut departure.started, true) {
            return None;
        }
        Some(Happening::Started { pod_name: pod_name.to_owned(), pod_uid: pod_uid.to_owned() })
    }

    fn departure(&mut self, replica: ReplicaId, now: Instant) -> &mut Departure {
        let new = Departure { started: false, hook: None, told: None, ended: None, touched: now };
        let departure = self.departures.entry(replica).or_insert(new);
        departure.touched = now;
        departure
    }
}

/// Whether the row's pod runs a newer agent.
fn succeeded(rows: &[MemberRow], row: &MemberRow) -> bool {
    let mut others = rows.iter().filter(|other| other.pod_uid == row.pod_uid && other.replica != row.replica);
    others.any(|other| other.phase != MemberPhase::Gone)
}

/// The hook's success was said before the last writes: an agent that was killed after it proves nothing about those.
fn unfinished(hook: Receipt) -> Receipt {
    match hook.outcome {
        HandoffOutcome::Failed | HandoffOutcome::Unknown => hook,
        HandoffOutcome::Acknowledged | HandoffOutcome::NothingToHandOff => Receipt {
            outcome: HandoffOutcome::Unknown,
            message: "all was covered when its hook returned, but the agent ended without a word on later writes"
                .into(),
            ..hook
        },
    }
}

fn unknown(row: &MemberRow) -> Receipt {
    Receipt {
        replica: row.replica,
        pod_name: row.pod_name.clone(),
        pod_uid: row.pod_uid.clone(),
        stage: Stage::Sealed,
        outcome: HandoffOutcome::Unknown,
        keys: 0,
        keys_unacknowledged: 0,
        keys_unadopted: 0,
        keys_unconfirmed: 0,
        released: false,
        bytes: 0,
        survivors: Vec::new(),
        hold_millis: 0,
        tail_millis: 0,
        message: "the pod ended and left no receipt: what it had not replicated is lost".into(),
    }
}
