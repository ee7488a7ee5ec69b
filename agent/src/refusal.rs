//! Connections of others that were refused: counted by reason, and said.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use baton_identity::Refusal;
use baton_telemetry::Repeat;
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tracing::warn;

/// Connections that were refused. Cloning shares the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals {
    counts: Family<RefusalLabels, Counter>,
    said: Arc<Mutex<Repeat>>,
}

/// One of a fixed set of codes: of a handshake, or of a hello.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: &'static str,
}

// === impl Refusals ===

impl Refusals {
    /// Adds the counter to a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Connections to the port of peer links that were refused, by reason";
        registry.register("refused_links", help, self.counts.clone());
    }

    /// A peer was turned away.
    pub(crate) fn count(&self, reason: &'static str) {
        self.counts.get_or_create(&RefusalLabels { reason }).inc();
    }

    /// Somebody did not prove to be a member of this group.
    pub(crate) fn stranger(&self, from: SocketAddr, refusal: &Refusal) {
        self.count(refusal.code());
        // Whoever scans ports must not fill the log, so all reasons are one failure.
        if let Some(count) = self.said.lock().failed("stranger", Instant::now()) {
            warn!(%from, reason = refusal.code(), %refusal, count, "Refused a connection to the port of peer links");
        }
    }

    #[cfg(test)]
    pub(crate) fn counted(&self, reason: &'static str) -> u64 {
        self.counts.get_or_create(&RefusalLabels { reason }).get()
    }
}
