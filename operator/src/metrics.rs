//! The operator's own metrics, `baton_operator_*`.

use std::sync::Arc;

use baton_crds::HandoffGroupStatus;
use baton_crds::status::HandoffOutcome;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::index::GroupKey;

/// What handoffs can have come to. Each is counted from 0 on: a counter that begins at 1 has not grown, for Prometheus.
const OUTCOMES: [&str; 4] = ["acknowledged", "failed", "unknown", "nothing"];

/// The operator's metrics. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    members: Family<GroupLabels, Gauge>,
    keepers: Family<GroupLabels, Gauge>,
    handoff_safe: Family<GroupLabels, Gauge>,
    in_sync: Family<GroupLabels, Gauge>,
    draining: Family<GroupLabels, Gauge>,
    handoffs: Family<HandoffLabels, Counter>,
    streams: Gauge,
    pushes: Counter,
    refusals: Family<RefusalLabels, Counter>,
    refused_connections: Family<ReasonLabels, Counter>,
    certificates: Family<ResultLabels, Counter>,
    writes: Family<ResultLabels, Counter>,
    admissions: Family<ResultLabels, Counter>,
    api_server_up: Gauge,
    lease_held: Gauge,
    forwarded: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroupLabels {
    namespace: String,
    group: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandoffLabels {
    namespace: String,
    group: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    retry: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// What came of an agent's request for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certification {
    /// It was given one.
    Issued,
    /// It was told to ask again.
    Retry,
    /// Its token is not accepted.
    TokenRefused,
    /// Its pod does not belong to the group, or has ended.
    PodRefused,
    /// The request made no sense.
    Garbage,
}

/// What the injector did with a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It was given an agent, or its agent was put in order.
    Injected,
    /// It was admitted as it is.
    Untouched,
    /// It was refused.
    Refused,
    /// The request made no sense.
    Garbage,
}

// === impl Metrics ===

impl Metrics {
    /// Adds all metrics to a registry, without a prefix of its own.
    pub fn register(&self, registry: &mut Registry) {
        let inner = &self.0;
        for result in ["issued", "retry", "token_refused", "pod_refused", "garbage"] {
            let _ = inner.certificates.get_or_create(&ResultLabels { result });
        }
        for result in ["written", "failed"] {
            let _ = inner.writes.get_or_create(&ResultLabels { result });
        }
        for result in ["injected", "untouched", "refused", "garbage"] {
            let _ = inner.admissions.get_or_create(&ResultLabels { result });
        }
        for retry in ["true", "false"] {
            let _ = inner.refusals.get_or_create(&RefusalLabels { retry });
        }
        let registry = registry.sub_registry_with_prefix("baton_operator");
        registry.register("members", "Members of a group that have not ended", inner.members.clone());
        registry.register("keepers", "Active keepers of a group", inner.keepers.clone());
        registry.register(
            "handoff_safe",
            "Whether a member that leaves finds enough others, as far as is known",
            inner.handoff_safe.clone(),
        );
        registry.register(
            "members_in_sync",
            "Active members that have applied what their peers have",
            inner.in_sync.clone(),
        );
        registry.register("members_draining", "Members that are leaving", inner.draining.clone());
        registry.register("handoffs", "Handoffs that have ended, by outcome", inner.handoffs.clone());
        registry.register("streams", "Agents with an open stream", inner.streams.clone());
        registry.register("pushes", "Memberships sent to agents", inner.pushes.clone());
        registry.register(
            "refusals",
            "Agents that were refused, by whether they may ask again",
            inner.refusals.clone(),
        );
        registry.register(
            "refused_connections",
            "Connections to the directory that proved to be nobody who may use it, by reason",
            inner.refused_connections.clone(),
        );
        registry.register(
            "certificates",
            "Requests of agents for a certificate, by result",
            inner.certificates.clone(),
        );
        registry.register("membership_writes", "Writes of Membership objects, by result", inner.writes.clone());
        registry.register("admissions", "Pods seen by the webhook, by result", inner.admissions.clone());
        registry.register(
            "api_server_up",
            "Whether the API server answered the last call",
            inner.api_server_up.clone(),
        );
        registry.register(
            "lease_held",
            "Whether this operator holds the lease, so that it writes",
            inner.lease_held.clone(),
        );
        registry.register(
            "forwarded",
            "Agents that have their stream to another operator and are heard through it",
            inner.forwarded.clone(),
        );
    }

    /// Takes whether this operator holds the lease.
    pub fn lease_held(&self, held: bool) {
        self.0.lease_held.set(held.into());
    }

    /// Takes how many agents are heard through another operator.
    pub fn forwarded(&self, agents: usize) {
        self.0.forwarded.set(i64::try_from(agents).unwrap_or(i64::MAX));
    }

    /// Begins to count the handoffs of a group, at none: what begins at one has not grown for who looks at it.
    pub fn begin(&self, key: &GroupKey) {
        for outcome in OUTCOMES {
            let _ = self.0.handoffs.get_or_create(&HandoffLabels::of(key, outcome));
        }
    }

    /// Takes the counts of a group.
    pub fn group(&self, key: &GroupKey, status: &HandoffGroupStatus) {
        let labels = GroupLabels::of(key);
        self.0.members.get_or_create(&labels).set(status.members.into());
        self.0.keepers.get_or_create(&labels).set(status.keepers.into());
        let unsafe_now = status.conditions.iter().any(|one| one.type_ == "HandoffSafe" && one.status == "False");
        self.0.handoff_safe.get_or_create(&labels).set((!unsafe_now).into());
        self.0.in_sync.get_or_create(&labels).set(status.in_sync.into());
        self.0.draining.get_or_create(&labels).set(status.draining.into());
    }

    /// Forgets a group that is no more.
    pub fn end(&self, key: &GroupKey) {
        self.forget(key);
        for outcome in OUTCOMES {
            self.0.handoffs.remove(&HandoffLabels::of(key, outcome));
        }
    }

    /// Says nothing of a group any more, but for what has been counted.
    pub fn forget(&self, key: &GroupKey) {
        let labels = GroupLabels::of(key);
        self.0.members.remove(&labels);
        self.0.keepers.remove(&labels);
        self.0.handoff_safe.remove(&labels);
        self.0.in_sync.remove(&labels);
        self.0.draining.remove(&labels);
    }

    /// Counts a handoff that has ended.
    pub fn handoff(&self, key: &GroupKey, outcome: HandoffOutcome) {
        let outcome = match outcome {
            HandoffOutcome::Acknowledged => "acknowledged",
            HandoffOutcome::Failed => "failed",
            HandoffOutcome::Unknown => "unknown",
            HandoffOutcome::NothingToHandOff => "nothing",
        };
        self.0.handoffs.get_or_create(&HandoffLabels::of(key, outcome)).inc();
    }

    /// Takes how many streams are open.
    pub fn streams(&self, open: usize) {
        self.0.streams.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// Counts a membership sent to an agent.
    pub fn pushed(&self) {
        self.0.pushes.inc();
    }

    /// Counts an agent that was refused.
    pub fn refused(&self, retry: bool) {
        let retry = if retry { "true" } else { "false" };
        self.0.refusals.get_or_create(&RefusalLabels { retry }).inc();
    }

    /// Counts a connection of nobody who may use the directory; the reason is one of a fixed set.
    pub fn refused_connection(&self, reason: &'static str) {
        self.0.refused_connections.get_or_create(&ReasonLabels { reason }).inc();
    }

    #[cfg(test)]
    pub(crate) fn refused_connections(&self, reason: &'static str) -> u64 {
        self.0.refused_connections.get_or_create(&ReasonLabels { reason }).get()
    }

    /// Counts a request for a certificate.
    pub fn certified(&self, certification: Certification) {
        let result = match certification {
            Certification::Issued => "issued",
            Certification::Retry => "retry",
            Certification::TokenRefused => "token_refused",
            Certification::PodRefused => "pod_refused",
            Certification::Garbage => "garbage",
        };
        self.0.certificates.get_or_create(&ResultLabels { result }).inc();
    }

    /// Counts a write of a Membership.
    pub fn wrote_membership(&self, succeeded: bool) {
        let result = if succeeded { "written" } else { "failed" };
        self.0.writes.get_or_create(&ResultLabels { result }).inc();
    }

    /// Counts a pod seen by the webhook.
    pub fn admitted(&self, admission: Admission) {
        let result = match admission {
            Admission::Injected => "injected",
            Admission::Untouched => "untouched",
            Admission::Refused => "refused",
            Admission::Garbage => "garbage",
        };
        self.0.admissions.get_or_create(&ResultLabels { result }).inc();
    }

    /// Takes whether the API server answered.
    pub fn api_server(&self, up: bool) {
        self.0.api_server_up.set(up.into());
    }
}

// === impl HandoffLabels ===

impl HandoffLabels {
    fn of(key: &GroupKey, outcome: &'static str) -> Self {
        Self { namespace: key.namespace.clone(), group: key.name.clone(), outcome }
    }
}

// === impl GroupLabels ===

impl GroupLabels {
    fn of(key: &GroupKey) -> Self {
        Self { namespace: key.namespace.clone(), group: key.name.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered() -> (Metrics, Registry) {
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.register(&mut registry);
        (metrics, registry)
    }

    #[test]
    fn a_group_is_unsafe_only_when_that_is_said_and_gone_when_it_is_gone() {
        let (metrics, registry) = registered();
        let key = GroupKey::new("shop", "web");
        let told = |status: &str| {
            let condition = serde_json::json!({"type": "HandoffSafe", "status": status, "reason": "R", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"});
            let conditions = vec![serde_json::from_value(condition).expect("a condition")];
            metrics.group(&key, &HandoffGroupStatus { conditions, keepers: 2, ..HandoffGroupStatus::default() });
            baton_telemetry::encode_metrics(&registry)
        };
        let labels = r#"{namespace="shop",group="web"}"#;
        for (status, safe) in [("True", 1), ("Unknown", 1), ("False", 0)] {
            let text = told(status);
            assert!(text.contains(&format!("baton_operator_handoff_safe{labels} {safe}\n")), "{text}");
            assert!(text.contains(&format!("baton_operator_keepers{labels} 2\n")), "{text}");
        }
        metrics.forget(&key);
        let left = baton_telemetry::encode_metrics(&registry);
        assert!(!left.contains(&format!("baton_operator_handoff_safe{labels}")), "{left}");
    }

    #[test]
    fn handoffs_of_a_group_are_counted_from_none_on_and_until_it_is_gone() {
        let (metrics, registry) = registered();
        let key = GroupKey::new("shop", "web");
        let counted = |count: &str| {
            let text = baton_telemetry::encode_metrics(&registry);
            let labels = r#"{namespace="shop",group="web",outcome="failed"}"#;
            text.contains(&format!("baton_operator_handoffs_total{labels}{count}"))
        };
        metrics.begin(&key);
        assert!(counted(" 0\n"));
        metrics.handoff(&key, HandoffOutcome::Failed);
        metrics.forget(&key);
        assert!(counted(" 1\n"), "another operator may speak of it for a while");
        metrics.end(&key);
        assert!(!counted(""));
    }
}
