//! The demo's numbers, and what they have to be.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// All that the demo has measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) mode: Mode,
    /// The server's version; none without a Kubernetes.
    pub(crate) kubernetes: Option<String>,
    pub(crate) restarts: u32,
    pub(crate) players: u32,
    pub(crate) with: Outcome,
    pub(crate) without: Outcome,
}

/// Where it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Cluster,
    Local,
}

/// Which of the two deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    With,
    Without,
}

/// One deployment's numbers.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// Writes that the servers acknowledged.
    pub(crate) acknowledged: u64,
    /// Players that are gone, though they never left.
    pub(crate) lost: u64,
    /// Players behind the last move that was acknowledged.
    pub(crate) stale: u64,
    /// Players that are there, though they left.
    pub(crate) resurrected: u64,
    /// The longest that a player waited for an acknowledgement.
    pub(crate) slowest_ms: u64,
    /// From the restart to the end of the last old pod.
    pub(crate) rollout_seconds: Vec<f64>,
    /// How long pods were held; none without Baton.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hold_ms: Option<Hold>,
    /// What the leaving agents said; none without Baton.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handoffs: Option<Handoffs>,
    /// The first findings, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) examples: Vec<String>,
}

/// The spread of the hold times, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Hold {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// How many pods left, and how many of them had everything covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Handoffs {
    pub(crate) acknowledged: usize,
    pub(crate) expected: usize,
}

/// The last line that a load prints.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) acknowledged: u64,
    pub(crate) lost: u64,
    pub(crate) stale: u64,
    pub(crate) resurrected: u64,
    pub(crate) slowest_ms: u64,
    pub(crate) examples: Vec<String>,
}

// === impl Report ===

impl Report {
    /// Nothing may be lost with Baton; something must be lost without it, or nothing is shown.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        let missing = self.with.missing();
        if missing > 0 {
            let examples = self.with.examples.join("\n  ");
            return Err(format!("with Baton, {missing} players are not as acknowledged:\n  {examples}"));
        }
        if let Some(handoffs) = self.with.handoffs.filter(|handoffs| !handoffs.all()) {
            let Handoffs { acknowledged, expected } = handoffs;
            return Err(format!("only {acknowledged} of {expected} handoffs were acknowledged"));
        }
        if self.without.lost == 0 {
            return Err("without Baton nothing was lost either: this run shows nothing".to_owned());
        }
        Ok(())
    }
}

// === impl Side ===

impl Side {
    /// With Baton first: it is what people wait for.
    pub(crate) const ALL: [Self; 2] = [Self::With, Self::Without];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::With => "with Baton",
            Self::Without => "without",
        }
    }
}

// === impl Outcome ===

impl Outcome {
    pub(crate) fn new(verdict: Verdict, rollouts: &[Duration]) -> Self {
        Self {
            acknowledged: verdict.acknowledged,
            lost: verdict.lost,
            stale: verdict.stale,
            resurrected: verdict.resurrected,
            slowest_ms: verdict.slowest_ms,
            rollout_seconds: rollouts.iter().map(|time| round(time.as_secs_f64(), 10.0)).collect(),
            examples: verdict.examples,
            ..Self::default()
        }
    }

    pub(crate) fn with_handoffs(mut self, holds: &[Duration], handoffs: Handoffs) -> Self {
        self.hold_ms = Hold::of(holds);
        self.handoffs = Some(handoffs);
        self
    }

    fn missing(&self) -> u64 {
        self.lost + self.stale + self.resurrected
    }
}

// === impl Hold ===

impl Hold {
    /// Percentiles by nearest rank; none of nothing.
    pub(crate) fn of(holds: &[Duration]) -> Option<Self> {
        let mut sorted = holds.to_vec();
        sorted.sort_unstable();
        let rank = |share: f64| {
            let rank = (share * sorted.len() as f64).ceil() as usize;
            let hold = sorted.get(rank.max(1) - 1)?;
            Some(round(hold.as_secs_f64() * 1e3, 10.0))
        };
        Some(Self { p50: rank(0.5)?, p99: rank(0.99)?, max: rank(1.0)? })
    }
}

// === impl Handoffs ===

impl Handoffs {
    fn all(self) -> bool {
        self.acknowledged == self.expected
    }
}

fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(with_lost: u64, without_lost: u64, acknowledged: usize) -> Report {
        let side = |lost| Outcome { acknowledged: 10, lost, ..Outcome::default() };
        let handoffs = Handoffs { acknowledged, expected: 9 };
        Report {
            mode: Mode::Local,
            kubernetes: None,
            restarts: 3,
            players: 10,
            with: side(with_lost).with_handoffs(&[], handoffs),
            without: side(without_lost),
        }
    }

    #[test]
    fn a_demo_succeeds_when_only_the_plain_side_loses() {
        assert_eq!(report(0, 10, 9).verdict(), Ok(()));
    }

    #[test]
    fn a_demo_fails_when_baton_loses_anything() {
        assert!(report(1, 10, 9).verdict().is_err());
        let mut stale = report(0, 10, 9);
        stale.with.stale = 1;
        assert!(stale.verdict().is_err());
        let mut resurrected = report(0, 10, 9);
        resurrected.with.resurrected = 1;
        assert!(resurrected.verdict().is_err());
    }

    #[test]
    fn a_demo_fails_when_a_handoff_was_not_acknowledged() {
        assert!(report(0, 10, 8).verdict().is_err());
    }

    #[test]
    fn a_demo_fails_when_the_plain_side_loses_nothing() {
        assert!(report(0, 0, 9).verdict().is_err());
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let holds: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        let hold = Hold::of(&holds).expect("there are some");
        assert_eq!((hold.p50, hold.p99, hold.max), (100.0, 198.0, 200.0));
        let one = Hold::of(&[Duration::from_millis(7)]).expect("there is one");
        assert_eq!((one.p50, one.p99, one.max), (7.0, 7.0, 7.0));
        assert_eq!(Hold::of(&[]), None);
    }
}
