//! Receipts of departures on their way to the operator.

use std::collections::VecDeque;

use baton_wire::directory::HandoffReport;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Receipts kept while the operator cannot be reached. A group rolls a few pods at a time; what is older than this many
/// has other witnesses (the peers, the pod's status).
const MAX_REPORTS: usize = 64;

/// A bounded queue; the oldest receipt gives way.
#[derive(Default)]
pub(crate) struct ReportQueue {
    reports: Mutex<VecDeque<HandoffReport>>,
    added: Notify,
    taken: Notify,
}

// === impl ReportQueue ===

impl ReportQueue {
    /// Adds a receipt.
    pub(crate) fn push(&self, report: HandoffReport) {
        let mut reports = self.reports.lock();
        if reports.len() == MAX_REPORTS {
            reports.pop_front();
        }
        reports.push_back(report);
        drop(reports);
        self.added.notify_one();
    }

    /// The oldest receipt, when there is one; it stays until [`Self::sent`].
    pub(crate) async fn next(&self) -> HandoffReport {
        loop {
            if let Some(report) = self.reports.lock().front().cloned() {
                return report;
            }
            self.added.notified().await;
        }
    }

    /// This receipt was sent.
    pub(crate) fn sent(&self, report: &HandoffReport) {
        let mut reports = self.reports.lock();
        if reports.front() == Some(report) {
            reports.pop_front();
        }
        drop(reports);
        self.taken.notify_one();
    }

    /// Waits until all receipts are sent.
    pub(crate) async fn drained(&self) {
        while !self.reports.lock().is_empty() {
            self.taken.notified().await;
        }
    }
}
