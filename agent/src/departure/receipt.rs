//! The receipt of a departure, from what is known when it is written.

use std::path::Path;

use baton_replica::{Account, Handover, Outcome, ReplicaId, Stage};
use baton_wire::directory::handoff_report::Stage as WireStage;
use baton_wire::directory::{HandoffReport, Outcome as WireOutcome};

use crate::control::{DepartureOutcome, DepartureReport};
use crate::engine::Engine;

/// Writes down how far the departure has come.
pub(super) fn write(engine: &Engine, account: &Account) -> DepartureReport {
    let Account { stage, outcome, covered, keys_not_covered: missing, handover, released, .. } = *account;
    let status = engine.status();
    let pod = |id: &ReplicaId| status.members.iter().find(|member| member.replica == *id).map(|row| row.pod.clone());
    let survivors: Vec<String> = account.survivors.iter().filter_map(pod).collect();
    let message = match stage {
        Stage::Started => format!("Handing off {} keys", status.keys),
        _ if released => given_up(missing),
        _ if covered && handover != Handover::default() => kept_waiting(&survivors, handover),
        _ => sentence(outcome, &survivors, status.keys, missing),
    };
    DepartureReport {
        outcome: outcome.into(),
        keys: status.keys,
        keys_unacknowledged: missing,
        keys_unadopted: handover.unadopted as u64,
        keys_unconfirmed: handover.unconfirmed as u64,
        released,
        bytes: status.bytes,
        message,
        survivors,
        hold_millis: account.held_millis,
        tail_millis: account.tail_millis,
    }
}

/// The receipt for the operator, directly or through a peer.
pub(super) fn for_operator(engine: &Engine, stage: Stage, receipt: &DepartureReport) -> HandoffReport {
    let identity = engine.identity();
    let outcome = match (stage, receipt.outcome) {
        (Stage::Started, _) => WireOutcome::Unspecified,
        (_, DepartureOutcome::Acknowledged) => WireOutcome::Acknowledged,
        (_, DepartureOutcome::Nothing) => WireOutcome::NothingToHandOff,
        (_, DepartureOutcome::Failed) => WireOutcome::Failed,
    };
    HandoffReport {
        replica: engine.replica().bits(),
        pod_name: identity.pod_name.clone(),
        pod_uid: identity.pod_uid.clone(),
        stage: match stage {
            Stage::Started => WireStage::Started,
            Stage::Hook => WireStage::Hook,
            Stage::Sealed => WireStage::Sealed,
        }
        .into(),
        outcome: outcome.into(),
        keys: receipt.keys,
        keys_unacknowledged: receipt.keys_unacknowledged,
        bytes: receipt.bytes,
        survivors: receipt.survivors.clone(),
        hold_millis: receipt.hold_millis,
        tail_millis: receipt.tail_millis,
        message: receipt.message.clone(),
        keys_unadopted: receipt.keys_unadopted,
        keys_unconfirmed: receipt.keys_unconfirmed,
        released: receipt.released,
    }
}

/// Leaves the receipt where the kubelet looks for it.
pub(super) fn leave_for_kubelet(receipt: &DepartureReport, path: &Path) -> std::io::Result<()> {
    std::fs::write(path, serde_json::to_vec(receipt)?)
}

/// A person did not want to wait any longer.
fn given_up(missing: u64) -> String {
    match missing {
        0 => "Released by hand; no key is known to be missing elsewhere".to_owned(),
        missing => format!("Released by hand; {missing} keys hold writes that no single survivor has acknowledged"),
    }
}

/// Nothing is lost, but the group waits for more than that.
fn kept_waiting(survivors: &[String], handover: Handover) -> String {
    let Handover { unadopted, unconfirmed } = handover;
    let holders = if survivors.is_empty() { "survivors".to_owned() } else { survivors.join(", ") };
    let waits = match (unadopted, unconfirmed) {
        (unadopted, 0) => format!("{unadopted} keys that this pod owns have no other owner yet"),
        (0, unconfirmed) => format!("the new owners of {unconfirmed} keys have not confirmed them yet"),
        (unadopted, unconfirmed) => format!(
            "{unadopted} keys that this pod owns have no other owner yet, and the new owners of {unconfirmed} keys have not confirmed them"
        ),
    };
    format!("Everything is acknowledged by {holders}, but {waits}")
}

fn sentence(outcome: Outcome, survivors: &[String], keys: u64, missing: u64) -> String {
    match outcome {
        Outcome::Acknowledged if survivors.is_empty() => {
            format!("Everything ({keys} keys) is acknowledged, each shard by another survivor")
        }
        Outcome::Acknowledged => format!("Everything ({keys} keys) is acknowledged by {}", survivors.join(", ")),
        Outcome::Nothing => "There was nothing to hand off".to_owned(),
        Outcome::Failed if missing == 0 => {
            "Fewer survivors than the group asks for have acknowledged everything".to_owned()
        }
        Outcome::Failed => {
            format!("{missing} keys hold writes that no single survivor has acknowledged; they are lost with this pod")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_names_survivors_or_says_that_there_is_no_common_one() {
        let survivors = ["web-1".to_owned(), "web-2".to_owned()];
        let common = sentence(Outcome::Acknowledged, &survivors, 3, 0);
        assert_eq!(common, "Everything (3 keys) is acknowledged by web-1, web-2");
        let apart = sentence(Outcome::Acknowledged, &[], 3, 0);
        assert_eq!(apart, "Everything (3 keys) is acknowledged, each shard by another survivor");
    }

    #[test]
    fn a_hold_that_waited_in_vain_says_for_what_and_that_nothing_is_lost() {
        let says = |unadopted, unconfirmed| kept_waiting(&["b".to_owned()], Handover { unadopted, unconfirmed });
        assert_eq!(
            says(2, 0),
            "Everything is acknowledged by b, but 2 keys that this pod owns have no other owner yet"
        );
        assert_eq!(
            says(0, 3),
            "Everything is acknowledged by b, but the new owners of 3 keys have not confirmed them yet"
        );
        assert!(says(2, 3).contains("2 keys") && says(2, 3).contains("3 keys"));
    }
}
