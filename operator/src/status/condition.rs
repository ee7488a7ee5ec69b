//! The conditions of a HandoffGroup, and all reasons that they can have.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use crate::word::words;

/// One condition before it is dated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) message: String,
}

words! {
    /// Which condition.
    pub(crate) enum Kind {
        /// The group protects the pods that it selects.
        Ready,
        /// All Active members have applied what their peers have.
        InSync,
        /// A member that leaves now finds enough others to hand off to.
        HandoffSafe,
        /// Nobody is leaving, and every rollout is over: no pod of an older revision is left.
        Drained,
        /// State was or may have been lost, or may be soon.
        Degraded,
    }
}

/// A condition's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    True,
    False,
    Unknown,
}

words! {
    /// A condition's reason.
    pub(crate) enum Reason {
        MembersReady,
        KeepersOnly,
        NoPodsSelected,
        InvalidSelector,
        GroupConflict,
        AgentNotInjected,
        MembersStarting,
        AllInSync,
        MembersCatchingUp,
        MembersParted,
        MembersUnheard,
        NoMembers,
        SurvivorsAvailable,
        KeepersAvailable,
        TooFewMembers,
        NoOverlap,
        ScaledToZero,
        NobodyLeaving,
        MembersLeaving,
        RolloutUnderWay,
        AsExpected,
        HandoffFailed,
        HandoffUnknown,
        MemberForgotten,
        StateUnreachable,
        ListTooLarge,
    }
}

// === impl Verdict ===

impl Verdict {
    /// The condition as the API has it. The time of the last transition stays while the status does.
    pub(super) fn dated(self, before: &[Condition], generation: i64, now: Timestamp) -> Condition {
        let status = self.state.as_str();
        let last = before.iter().find(|one| one.type_ == self.kind.as_str() && one.status == status);
        Condition {
            type_: self.kind.as_str().into(),
            status: status.into(),
            reason: self.reason.as_str().into(),
            message: self.message,
            observed_generation: Some(generation),
            last_transition_time: last.map_or(Time(now), |one| one.last_transition_time.clone()),
        }
    }
}

// === impl Kind ===

impl Kind {
    /// The condition of this kind.
    pub(super) fn of(self, conditions: &[Condition]) -> Option<&Condition> {
        conditions.iter().find(|one| one.type_ == self.as_str())
    }
}

// === impl State ===

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}
