//! The agent's metrics: what is counted as it happens, and what is looked up when somebody scrapes.
//!
//! No key, map or pod is a label: their number has no bound.

mod label;
mod snapshot;

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use baton_replica::{Outcome, Stage};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::engine::Engine;
use crate::refusal::Refusals;
use label::{HandoffLabels, RequestLabels};
use snapshot::Snapshot;

/// What is counted as it happens.
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    redis_commands: Counter,
    handoffs: Family<HandoffLabels, Counter>,
}

// === impl Metrics ===

impl Metrics {
    /// The metrics of one process.
    pub(crate) fn new(engine: Arc<Engine>, refusals: &Refusals) -> Arc<Self> {
        let mut registry = baton_telemetry::new_registry();
        let own = registry.sub_registry_with_prefix("baton_agent");
        let requests = Family::default();
        own.register("http_requests", "Requests of the app by method and status code", requests.clone());
        let redis_commands = Counter::default();
        own.register("redis_commands", "Commands of the app, those that were refused included", redis_commands.clone());
        engine.counts().register(own);
        let handoffs = Family::default();
        own.register("handoffs", "Holds of the preStop hook and ends of the process, by outcome", handoffs.clone());
        refusals.register(own);
        own.register_collector(Box::new(Snapshot::new(engine)));
        Arc::new(Self { registry: Arc::new(registry), requests, redis_commands, handoffs })
    }

    /// What is scraped.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.registry.clone()
    }

    /// A request was answered.
    pub(crate) fn answered(&self, method: &Method, status: StatusCode) {
        self.requests.get_or_create(&RequestLabels::new(method, status)).inc();
    }

    /// Counts commands of Redis.
    pub(crate) fn redis_commands(&self) -> Counter {
        self.redis_commands.clone()
    }

    /// A step of the departure ended.
    pub(crate) fn handed_off(&self, stage: Stage, outcome: Outcome) {
        if let Some(labels) = HandoffLabels::new(stage, outcome) {
            self.handoffs.get_or_create(&labels).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use baton_replica::ReplicaId;

    use super::*;
    use crate::engine::{DefaultLimits, Identity};

    const PAGE: &str = include_str!("../../docs/operations.md");

    #[test]
    fn every_metric_of_the_agent_is_documented_and_no_others() {
        let identity = Identity { group: "shop/web".into(), pod_name: "a".into(), pod_uid: String::new() };
        let limits = DefaultLimits { max_value_bytes: 64, max_bytes: 256, max_entries: 3 };
        let engine = Engine::new(ReplicaId::new(7).expect("not zero"), identity, 1, limits);
        let refusals = Refusals::default();
        let metrics = Metrics::new(engine.clone(), &refusals);
        metrics.answered(&Method::GET, StatusCode::OK);
        engine.counts().wrote("put", None, std::time::Instant::now());
        metrics.handed_off(Stage::Hook, Outcome::Acknowledged);
        refusals.count("no_tls");
        let text = baton_telemetry::encode_metrics(&metrics.registry());
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE baton_agent_"));
        let names = types.filter_map(|line| line.split_once(' '));
        let total = |(name, kind)| format!("baton_agent_{name}{}", if kind == "counter" { "_total" } else { "" });
        let names: BTreeSet<String> = names.map(total).collect();
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `baton_agent_")?.split('|').next());
        let documented = rows.flat_map(|cell| cell.split("`, `baton_agent_")).map(|name| name.trim_end_matches("` "));
        assert_eq!(documented.map(|name| format!("baton_agent_{name}")).collect::<BTreeSet<_>>(), names);
    }
}
