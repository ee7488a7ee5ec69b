//! Labels: each a small, fixed set.

use axum::http::{Method, StatusCode};
use baton_replica::{Outcome, WriteError};
use baton_wire::directory::handoff_report::Stage;
use prometheus_client::encoding::EncodeLabelSet;

use crate::engine::{LimitError, WriteFailure};

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// Stores a value.
    Put,
    /// Removes one.
    Delete,
}

/// One kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    method: &'static str,
    code: u16,
}

/// One kind of write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WriteLabels {
    operation: &'static str,
    outcome: &'static str,
}

/// One kind of handoff.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HandoffLabels {
    stage: &'static str,
    outcome: &'static str,
}

// === impl Operation ===

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }
}

// === impl RequestLabels ===

impl RequestLabels {
    pub(super) fn new(method: &Method, status: StatusCode) -> Self {
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        Self { method, code: status.as_u16() }
    }
}

// === impl WriteLabels ===

impl WriteLabels {
    pub(super) const fn new(operation: Operation, failure: Option<&WriteFailure>) -> Self {
        let outcome = match failure {
            None => "accepted",
            Some(WriteFailure::Refused(WriteError::Joining)) => "joining",
            Some(WriteFailure::Refused(WriteError::Sealed)) => "sealed",
            Some(WriteFailure::Refused(WriteError::Condition { .. })) => "condition_failed",
            Some(WriteFailure::Refused(WriteError::Refused(_))) => "refused",
            Some(WriteFailure::Limit(LimitError::Value { .. })) => "value_too_large",
            Some(WriteFailure::Limit(LimitError::Bytes { .. } | LimitError::Entries { .. })) => "map_full",
            Some(WriteFailure::TooFewMembers { .. }) => "too_few_members",
            Some(WriteFailure::Unacknowledged { .. }) => "unacknowledged",
        };
        Self { operation: operation.name(), outcome }
    }
}

// === impl HandoffLabels ===

impl HandoffLabels {
    /// `None` for a stage that has no outcome.
    pub(super) const fn new(stage: Stage, outcome: Outcome) -> Option<Self> {
        let stage = match stage {
            Stage::Unspecified | Stage::Started => return None,
            Stage::Hook => "hook",
            Stage::Sealed => "end",
        };
        let outcome = match outcome {
            Outcome::Acknowledged => "acknowledged",
            Outcome::Failed => "failed",
            Outcome::Nothing => "nothing",
        };
        Some(Self { stage, outcome })
    }
}
