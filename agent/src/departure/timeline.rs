//! When this process began to leave, and the spans that tell of it afterwards.

use std::time::{Duration, SystemTime};

use baton_replica::ReplicaId;
use baton_telemetry::{Span, Tracer};

use crate::control::{DepartureOutcome, DepartureReport};

/// The moments of a departure. The clock of the wall is for people; nothing depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timeline {
    leaving: Option<SystemTime>,
    held: Option<SystemTime>,
}

// === impl Timeline ===

impl Timeline {
    /// Others are told now.
    pub(super) fn leaves(&mut self) {
        self.leaving.get_or_insert_with(SystemTime::now);
    }

    /// The hook is called now.
    pub(super) fn is_held(&mut self) {
        self.held.get_or_insert_with(SystemTime::now);
    }

    /// Tells of a departure that is over: the whole, the hold, and the tail after the app's end.
    pub(super) fn tell(self, tracer: &Tracer, replica: ReplicaId, pod: &str, receipt: &DepartureReport) {
        if !tracer.is_on() {
            return;
        }
        let (now, replica) = (SystemTime::now(), replica.bits());
        let begun = self.leaving.into_iter().chain(self.held).min().unwrap_or(now);
        let failed = receipt.outcome == DepartureOutcome::Failed;
        let whole = Span::handoff(replica, begun, now)
            .with("k8s.pod.name", pod.to_owned())
            .with("baton.outcome", format!("{:?}", receipt.outcome))
            .with("baton.keys", signed(receipt.keys))
            .with("baton.keys_unacknowledged", signed(receipt.keys_unacknowledged))
            .with("baton.bytes", signed(receipt.bytes))
            .with("baton.survivors", receipt.survivors.join(","))
            .failed(failed.then(|| receipt.message.clone()));
        tracer.send(whole);
        if let Some(held) = self.held {
            tracer.send(Span::part(replica, "hold", held, held + Duration::from_millis(receipt.hold_millis)));
        }
        let sealed = now.checked_sub(Duration::from_millis(receipt.tail_millis)).unwrap_or(now);
        tracer.send(Span::part(replica, "tail", sealed, now));
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
