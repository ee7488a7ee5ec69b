//! The span of a departure as the operator sees it: from the report that it has begun to its record.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use baton_telemetry::{Span, Tracer};

use super::newest::is_unsuccessful;
use crate::handoff::Receipt;
use crate::index::GroupKey;

/// Pods that leave: none does so for longer than others are remembered for.
const PODS: usize = 1_024;

/// Since when pods leave, by UID.
#[derive(Debug, Default)]
pub(super) struct Departures(BTreeMap<String, SystemTime>);

// === impl Departures ===

impl Departures {
    /// A pod has begun to leave.
    pub(super) fn begun(&mut self, pod_uid: &str) {
        if self.0.len() < PODS {
            self.0.entry(pod_uid.to_owned()).or_insert_with(SystemTime::now);
        }
    }

    /// Its handoff has ended; `message` says how.
    pub(super) fn ended(&mut self, tracer: &Tracer, group: &GroupKey, receipt: &Receipt, message: &str) {
        let begun = self.0.remove(&receipt.pod_uid);
        if !tracer.is_on() {
            return;
        }
        let now = SystemTime::now();
        // Nobody has said so if its agent was killed, or if another operator heard it.
        let held = now.checked_sub(Duration::from_millis(receipt.hold_millis)).unwrap_or(now);
        let span = Span::part(receipt.replica.0, "conclude", begun.unwrap_or(held), now)
            .with("k8s.namespace.name", group.namespace.clone())
            .with("k8s.pod.name", receipt.pod_name.clone())
            .with("baton.group", group.name.clone())
            .with("baton.outcome", format!("{:?}", receipt.outcome));
        tracer.send(span.failed(is_unsuccessful(receipt.outcome).then(|| message.to_owned())));
    }
}
