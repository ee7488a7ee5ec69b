//! Labels: each a small, fixed set.

use axum::http::{Method, StatusCode};
use baton_replica::{Outcome, Stage};
use prometheus_client::encoding::EncodeLabelSet;

/// One kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    method: &'static str,
    code: u16,
}

/// One kind of handoff.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HandoffLabels {
    stage: &'static str,
    outcome: &'static str,
}

// === impl RequestLabels ===

impl RequestLabels {
    pub(super) fn new(method: &Method, status: StatusCode) -> Self {
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::PUT => "PUT",
            Method::POST => "POST",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        Self { method, code: status.as_u16() }
    }
}

// === impl HandoffLabels ===

impl HandoffLabels {
    /// `None` for a stage that has no outcome.
    pub(super) const fn new(stage: Stage, outcome: Outcome) -> Option<Self> {
        let stage = match stage {
            Stage::Started => return None,
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
