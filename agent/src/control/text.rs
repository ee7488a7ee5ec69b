//! Answers in words.

use std::fmt::Write;

use crate::control::{DepartureOutcome, DepartureReport};
use crate::http::StatusReport;

/// A departure in one sentence.
pub(super) fn sentence(report: &DepartureReport) -> String {
    let keys = report.keys;
    let missing = report.keys_unacknowledged;
    let held = report.hold_millis;
    match report.outcome {
        DepartureOutcome::Nothing => format!("nothing to hand off, after {held} ms"),
        DepartureOutcome::Acknowledged if report.survivors.is_empty() => {
            format!("{keys} keys are acknowledged, each shard by another survivor, after {held} ms")
        }
        DepartureOutcome::Acknowledged => {
            format!("{keys} keys are acknowledged by {}, after {held} ms", report.survivors.join(", "))
        }
        DepartureOutcome::Failed if missing == 0 => format!("failed after {held} ms: {}", report.message),
        DepartureOutcome::Failed => {
            format!(
                "failed after {held} ms: {missing} of {keys} keys are not acknowledged by a survivor; {}",
                report.message
            )
        }
    }
}

/// A status as a small table.
pub(super) fn status(report: &StatusReport) -> String {
    let mut text = String::new();
    let sync = if report.in_sync { "in sync" } else { "not in sync" };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} in {}: {}, {sync}", report.pod, report.group, report.phase);
    let _ = writeln!(text, "replica {}, membership {}", report.replica, report.membership);
    let _ = writeln!(text, "{} keys, {} bytes", report.keys, report.bytes);
    for member in &report.members {
        let link = if member.link { "linked" } else { "no link" };
        let _ = writeln!(text, "  {}  {:<8}  {link:<7}  {}", member.replica, member.phase, member.pod);
    }
    text
}
