//! Metrics in OpenMetrics text.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::process::Process;

/// What a scrape is answered with.
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A registry that holds the metrics of the process itself. A binary puts its own under
/// `registry.sub_registry_with_prefix("baton_agent")` and the like.
pub fn new_registry() -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Process::started_now()));
    registry
}

/// The text of a scrape.
pub fn encode_metrics(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string fails only if a metric's own encoding does; what was written until then is still good.
    if encode(&mut text, registry).is_err() {
        tracing::warn!("A metric could not be encoded");
    }
    text
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn a_scrape_holds_the_process_and_what_the_binary_counts() {
        let mut registry = new_registry();
        let counter: Counter = Counter::default();
        counter.inc_by(3);
        registry.sub_registry_with_prefix("baton_test").register("things", "Things counted", counter);
        let text = encode_metrics(&registry);
        assert!(text.contains("baton_test_things_total 3\n"), "{text}");
        assert!(text.contains("process_start_time_seconds "), "{text}");
        #[cfg(target_os = "linux")]
        assert!(
            text.contains("process_resident_memory_bytes ") && text.contains("process_cpu_seconds_total "),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"));
    }
}
