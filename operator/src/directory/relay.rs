//! The receiving end of what other operators forward: their agents attend here as if their streams were open to this
//! operator.

use std::time::{Duration, Instant};

use baton_wire::directory as wire;
use baton_wire::directory::report::Body as ReportBody;
use tokio::time::timeout;
use tonic::Streaming;

use super::session::{HELLO, Notices, take};
use super::{DirectoryService, convert};
use crate::lease::Term;

/// Takes what is forwarded of one agent until its stream ends, or this operator does not write any more.
pub(super) async fn relay(service: DirectoryService, term: Term, mut reports: Streaming<wire::Report>, end: Notices) {
    let mut office = service.office.clone();
    tokio::select! {
        () = attend(&service, &mut reports) => {}
        () = office.ended(term) => {}
    }
    drop(end);
}

async fn attend(service: &DirectoryService, reports: &mut Streaming<wire::Report>) {
    let Ok(Ok(Some(wire::Report { body: Some(ReportBody::Hello(hello)) }))) = timeout(HELLO, reports.message()).await
    else {
        return;
    };
    let now = Instant::now();
    let since = now.checked_sub(Duration::from_millis(hello.age_millis)).unwrap_or(now);
    // The other operator has checked it.
    let Ok(mut introduction) = convert::introduction(hello, service.attendance.arrival(), since) else { return };
    introduction.attendee.forwarded = true;
    tracing::debug!(group = %introduction.key, pod = introduction.attendee.pod_name, replica = %introduction.replica, "An agent attends through another operator");
    let seat = service.attendance.seat(introduction.key, introduction.replica, introduction.attendee);
    while let Ok(Some(report)) = reports.message().await {
        if take(&seat, report).is_err() {
            return;
        }
    }
}
