//! How a departure ended, in the words of the hook's output and of the termination message.

use baton_replica::Outcome;
use serde::{Deserialize, Serialize};

/// The result of a hold or of a whole departure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DepartureReport {
    /// How it ended.
    pub(crate) outcome: DepartureOutcome,
    /// Keys held.
    pub(crate) keys: u64,
    /// Of those, the ones that no survivor has acknowledged.
    pub(crate) keys_unacknowledged: u64,
    /// Keys that this pod still owned, if the group waits for them to have another owner.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) keys_unadopted: u64,
    /// Keys whose new owner's app has not confirmed them, if the group waits for that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) keys_unconfirmed: u64,
    /// Whether a person ended it, with the command `release`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) released: bool,
    /// Bytes of keys and values held.
    #[serde(default)]
    pub(crate) bytes: u64,
    /// Pods that cover everything.
    pub(crate) survivors: Vec<String>,
    /// How long the hook was held.
    pub(crate) hold_millis: u64,
    /// How long the seal took.
    pub(crate) tail_millis: u64,
    /// A sentence for people.
    pub(crate) message: String,
}

/// How a departure ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DepartureOutcome {
    /// Survivors cover everything.
    Acknowledged,
    /// Time ran out before they did.
    Failed,
    /// There was nothing to hand off.
    Nothing,
}

// === impl DepartureOutcome ===

impl DepartureOutcome {
    /// Whether nothing was left behind.
    pub(crate) const fn is_safe(self) -> bool {
        !matches!(self, Self::Failed)
    }
}

// Serde's signature.
#[expect(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl From<Outcome> for DepartureOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Acknowledged => Self::Acknowledged,
            Outcome::Failed => Self::Failed,
            Outcome::Nothing => Self::Nothing,
        }
    }
}
