//! Receipts of departures on their way to the operator.

use std::collections::VecDeque;

use baton_wire::directory::HandoffReport;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Receipts kept while the operator cannot be reached. A group rolls a few pods at a time; what is older than this many
/// has other witnesses (the peers, the pod's status).
const MAX_REPORTS: usize = 64;

/// The largest receipt kept: it names the pods of all survivors, some thousand at most.
const MAX_RECEIPT_BYTES: usize = 256 * 1024;

/// A bounded queue; the oldest receipt gives way.
#[derive(Default)]
pub(crate) struct ReportQueue {
    reports: Mutex<VecDeque<HandoffReport>>,
    added: Notify,
    taken: Notify,
}

// === impl ReportQueue ===

impl ReportQueue {
    /// Adds a receipt, unless it is larger than any departure's. Says whether it did.
    pub(crate) fn push(&self, report: HandoffReport) -> bool {
        if size(&report) > MAX_RECEIPT_BYTES {
            return false;
        }
        let mut reports = self.reports.lock();
        if reports.len() == MAX_REPORTS {
            reports.pop_front();
        }
        reports.push_back(report);
        drop(reports);
        self.added.notify_one();
        true
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

/// What a receipt takes in memory.
fn size(report: &HandoffReport) -> usize {
    let HandoffReport { pod_name, pod_uid, survivors, message, .. } = report;
    let survivors = survivors.iter().map(|survivor| size_of::<String>() + survivor.len());
    size_of::<HandoffReport>() + pod_name.len() + pod_uid.len() + message.len() + survivors.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_kept_unless_it_is_larger_than_any_departures() {
        let queue = ReportQueue::default();
        let survivors = |count| HandoffReport { survivors: vec!["web-7d9f8".to_owned(); count], ..Default::default() };
        assert!(queue.push(survivors(1_000)));
        assert!(!queue.push(survivors(100_000)));
        assert!(!queue.push(HandoffReport { message: "x".repeat(MAX_RECEIPT_BYTES), ..Default::default() }));
        assert_eq!(queue.reports.lock().len(), 1);
    }
}
