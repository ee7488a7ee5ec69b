//! How long the parts of a departure may take.

use std::time::Duration;

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
