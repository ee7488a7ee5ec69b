//! What is counted of the apps' operations, whichever front they come by.

use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use baton_replica::{Operation, WriteError};

use crate::engine::{LimitError, WriteFailure};

/// From a write that nobody acknowledges, a tenth of a millisecond, to the longest wait for acknowledgements, 5 s.
const SECONDS: [f64; 12] = [0.0001, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0];

/// The counts of one process.
pub(crate) struct Counts {
    writes: Family<WriteLabels, Counter>,
    write_seconds: Histogram,
    resyncs: Counter,
}

/// One kind of write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    operation: &'static str,
    outcome: &'static str,
}

// === impl Counts ===

impl Counts {
    pub(super) fn new() -> Self {
        Self { writes: Family::default(), write_seconds: Histogram::new(SECONDS), resyncs: Counter::default() }
    }

    /// Adds the counts to a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("writes", "Writes of the app by what came of them", self.writes.clone());
        let help = "Time from a write's arrival to its answer, acknowledgements included";
        registry.register("write_seconds", help, self.write_seconds.clone());
        let help = "Watchers that have lost something and were told to look at everything anew";
        registry.register("watch_resyncs", help, self.resyncs.clone());
    }

    /// A write that began at some time has ended.
    pub(crate) fn wrote(&self, operation: &'static str, failure: Option<&WriteFailure>, began: Instant) {
        let outcome = outcome(failure);
        self.writes.get_or_create(&WriteLabels { operation, outcome }).inc();
        if failure.is_none() {
            self.write_seconds.observe(began.elapsed().as_secs_f64());
        }
    }

    /// A watcher was told that it has lost something.
    pub(crate) fn resynced(&self) {
        self.resyncs.inc();
    }
}

/// The name of an operation: one of a small, fixed set.
pub(super) const fn name(operation: &Operation) -> &'static str {
    match operation {
        Operation::Put { .. } => "put",
        Operation::Init { .. } => "init",
        Operation::Delete => "delete",
        Operation::Take => "take",
        Operation::Increment(_) => "increment",
        Operation::Touch { .. } => "touch",
        Operation::Claim => "claim",
        Operation::Release => "release",
        Operation::Confirm => "confirm",
    }
}

const fn outcome(failure: Option<&WriteFailure>) -> &'static str {
    match failure {
        None => "accepted",
        Some(WriteFailure::Refused(WriteError::Joining)) => "joining",
        Some(WriteFailure::Refused(WriteError::Sealed)) => "sealed",
        Some(WriteFailure::Refused(WriteError::Condition { .. }) | WriteFailure::Unmet(_)) => "condition_failed",
        Some(WriteFailure::Refused(WriteError::Refused(_))) => "refused",
        Some(WriteFailure::Limit(LimitError::Value { .. })) => "value_too_large",
        Some(WriteFailure::Limit(LimitError::Bytes { .. } | LimitError::Entries { .. })) => "map_full",
        Some(WriteFailure::TooFewMembers { .. }) => "too_few_members",
        Some(WriteFailure::Unacknowledged { .. }) => "unacknowledged",
    }
}
