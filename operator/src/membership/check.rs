//! Live reads of pods: the only proof that a member has ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;

use super::PodRef;
use crate::index::{Life, PodFacts};

/// How long a live read that found the pod running is believed.
const RECHECK: Duration = Duration::from_secs(1);

/// What a live, uncached read of a pod has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not found, has another UID, or is in a terminal phase. Final.
    Ended,
    /// It is there and has a deletion timestamp.
    Terminating {
        /// The real grace period of the deletion.
        grace_seconds: u64,
    },
    /// It is there.
    Running,
}

/// The verdicts of one group's pods, and when each was given.
#[derive(Debug, Default)]
pub struct PodCheck {
    verdicts: BTreeMap<String, Verdict>,
    asked: BTreeMap<String, Instant>,
}

// === impl Verdict ===

impl Verdict {
    /// What it means that a live read of the pod's name found this.
    pub fn of(uid: &str, found: Option<&Pod>) -> Self {
        let Some(facts) = found.and_then(PodFacts::of).filter(|facts| facts.uid == uid) else { return Self::Ended };
        match facts.life {
            Life::Finished => Self::Ended,
            Life::Terminating { grace_seconds } => Self::Terminating { grace_seconds },
            Life::Running => Self::Running,
        }
    }
}

// === impl PodCheck ===

impl PodCheck {
    /// All verdicts, by pod UID.
    pub fn verdicts(&self) -> &BTreeMap<String, Verdict> {
        &self.verdicts
    }

    /// Which of these pods should be read now. Verdicts of pods that nobody asks about any more are
    /// dropped.
    pub fn due(&mut self, ask: &[PodRef], now: Instant) -> Vec<PodRef> {
        let wanted = |uid: &String| ask.iter().any(|pod| pod.uid == *uid);
        self.verdicts.retain(|uid, _| wanted(uid));
        self.asked.retain(|uid, _| wanted(uid));
        let fresh = |at: &Instant| now.saturating_duration_since(*at) < RECHECK;
        ask.iter().filter(|pod| !self.asked.get(&pod.uid).is_some_and(fresh)).cloned().collect()
    }

    /// Takes the answer of a live read, or that there was none.
    pub fn note(&mut self, pod: &PodRef, verdict: Option<Verdict>, now: Instant) {
        self.asked.insert(pod.uid.clone(), now);
        if let Some(verdict) = verdict {
            self.verdicts.insert(pod.uid.clone(), verdict);
        }
    }

    /// How long until some pod should be read again.
    pub fn again_in(&self, now: Instant) -> Option<Duration> {
        let age = |at: &Instant| RECHECK.saturating_sub(now.saturating_duration_since(*at));
        self.asked.values().map(age).min()
    }
}
