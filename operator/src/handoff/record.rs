//! The Handoff object of one departure.

use baton_crds::handoff::{DepartureReason, Handoff, HandoffRecord, HandoffStatus};
use baton_crds::label;
use baton_crds::membership::MemberRow;
use baton_crds::status::HandoffOutcome;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::{Receipt, Stage};
use crate::event;
use crate::index::{GroupFacts, GroupView, Life, PodView, Standing};
use crate::word::words;

/// The condition of a Handoff.
pub(super) const ACKNOWLEDGED: &str = "Acknowledged";

/// The longest part of a pod's name in the name of its record, which has the replica id too.
const NAME: usize = 200;

/// How many survivors a record names.
const SURVIVORS: usize = 16;

words! {
    /// Why a handoff counts as acknowledged, or not, or nobody knows.
    pub(crate) enum Verdict {
        Covered,
        NothingToHandOff,
        CoveredNotHandedOver,
        NotCovered,
        NotHandedOver,
        Released,
        NoReceipt,
    }
}

// === impl Verdict ===

impl Verdict {
    fn of(receipt: &Receipt) -> Self {
        match receipt.outcome {
            HandoffOutcome::Acknowledged if receipt.is_kept_waiting() => Self::CoveredNotHandedOver,
            HandoffOutcome::Acknowledged => Self::Covered,
            HandoffOutcome::NothingToHandOff => Self::NothingToHandOff,
            HandoffOutcome::Failed if receipt.released => Self::Released,
            HandoffOutcome::Failed if receipt.is_kept_waiting() => Self::NotHandedOver,
            HandoffOutcome::Failed => Self::NotCovered,
            HandoffOutcome::Unknown => Self::NoReceipt,
        }
    }

    /// The condition's status.
    const fn status(self) -> &'static str {
        match self {
            Self::Covered | Self::NothingToHandOff | Self::CoveredNotHandedOver => "True",
            Self::NotCovered | Self::NotHandedOver | Self::Released => "False",
            Self::NoReceipt => "Unknown",
        }
    }
}

/// Why a member left, as far as can be told when its departure is concluded. `row` is what the list says or last said.
pub fn departure_reason(view: &GroupView, row: Option<&MemberRow>, receipt: &Receipt) -> DepartureReason {
    let pod = view.pod(&receipt.pod_name, &receipt.pod_uid);
    match pod.map(|PodView { facts, standing, .. }| (facts.life, *standing)) {
        Some((Life::Terminating { .. }, _)) => DepartureReason::PodDeleted,
        Some((Life::Finished, _)) => DepartureReason::PodFinished,
        Some((Life::Running, Standing::Stray)) => DepartureReason::PodRelabelled,
        Some((Life::Running, Standing::Selected | Standing::Keeper)) => DepartureReason::AgentStopped,
        None => {
            let in_order = receipt.stage == Stage::Sealed && receipt.outcome != HandoffOutcome::Unknown;
            let deleted = in_order || row.is_some_and(|row| row.grace_seconds > 0);
            if deleted { DepartureReason::PodDeleted } else { DepartureReason::PodVanished }
        }
    }
}

/// The name of a departure's record.
pub fn record_name(receipt: &Receipt) -> String {
    let pod: String = receipt.pod_name.chars().take(NAME).collect();
    format!("{pod}-{}", receipt.replica)
}

/// The record of a departure. The same departure always has the same name.
pub fn record(
    group: &GroupFacts,
    row: Option<&MemberRow>,
    receipt: &Receipt,
    reason: DepartureReason,
    now: Timestamp,
) -> Handoff {
    let spec = HandoffRecord {
        group: group.key.name.clone(),
        pod_name: receipt.pod_name.clone(),
        pod_uid: receipt.pod_uid.clone(),
        node: row.map(|row| row.node.clone()).unwrap_or_default(),
        replica: receipt.replica,
        reason,
    };
    let verdict = Verdict::of(receipt);
    let condition = Condition {
        type_: ACKNOWLEDGED.into(),
        status: verdict.status().into(),
        reason: verdict.as_str().into(),
        message: event::conclusion(receipt),
        observed_generation: None,
        last_transition_time: Time(now),
    };
    let mut record = Handoff::new(&record_name(receipt), spec);
    record.metadata.namespace = Some(group.key.namespace.clone());
    record.metadata.labels = Some([(label::GROUP.to_owned(), group.key.name.clone())].into());
    record.metadata.owner_references = Some(vec![group.owner_reference()]);
    record.status = Some(HandoffStatus {
        outcome: receipt.outcome,
        at: Time(now),
        keys: signed(receipt.keys),
        bytes: signed(receipt.bytes),
        keys_unacknowledged: signed(receipt.keys_unacknowledged),
        keys_unadopted: signed(receipt.keys_unadopted),
        keys_unconfirmed: signed(receipt.keys_unconfirmed),
        survivors: receipt.survivors.iter().take(SURVIVORS).map(|pod| pod.chars().take(NAME).collect()).collect(),
        hold_millis: signed(receipt.hold_millis),
        tail_millis: signed(receipt.tail_millis),
        conditions: vec![condition],
    });
    record
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixture::{group, pod, receipt, row, view};
    use HandoffOutcome::{Acknowledged, Failed, NothingToHandOff, Unknown};
    use baton_crds::membership::MemberPhase::{Active, Leaving};
    use baton_crds::membership::ReplicaId;

    fn condition(receipt: &Receipt) -> (String, String) {
        let now = Timestamp::UNIX_EPOCH;
        let record = record(&group("web", 0), None, receipt, DepartureReason::PodDeleted, now);
        let mut conditions = record.status.expect("a status").conditions;
        assert_eq!(conditions.len(), 1);
        let one = conditions.remove(0);
        assert!(one.message.ends_with('.') && one.type_ == ACKNOWLEDGED, "{}", one.message);
        (one.status, one.reason)
    }

    #[test]
    fn the_condition_says_whether_survivors_have_everything() {
        let waiting = |outcome| Receipt { keys_unadopted: 2, ..receipt(1, Stage::Hook, outcome) };
        for (receipt, status, reason) in [
            (receipt(1, Stage::Sealed, Acknowledged), "True", "Covered"),
            (receipt(1, Stage::Sealed, NothingToHandOff), "True", "NothingToHandOff"),
            (waiting(Acknowledged), "True", "CoveredNotHandedOver"),
            (receipt(1, Stage::Sealed, Failed), "False", "NotCovered"),
            (waiting(Failed), "False", "NotHandedOver"),
            (Receipt { released: true, ..waiting(Failed) }, "False", "Released"),
            (receipt(1, Stage::Sealed, Unknown), "Unknown", "NoReceipt"),
        ] {
            assert_eq!(condition(&receipt), (status.into(), reason.into()), "{receipt:?}");
        }
    }

    #[test]
    fn a_record_belongs_to_its_group_and_has_one_name_for_ever() {
        let receipt =
            Receipt { bytes: 400, survivors: vec!["b".into(); 40], ..receipt(1, Stage::Sealed, Acknowledged) };
        let row = row(1, "a", Leaving);
        let of = |now| record(&group("web", 0), Some(&row), &receipt, DepartureReason::PodDeleted, now);
        let record = of(Timestamp::UNIX_EPOCH);
        assert_eq!(record.metadata.name.as_deref(), Some("a-0000000000000001"));
        assert_eq!(record.metadata.name, of(Timestamp::MAX).metadata.name);
        assert_eq!(record.metadata.owner_references.expect("an owner")[0].name, "web");
        assert_eq!((record.spec.node.as_str(), record.spec.replica), ("node-1", ReplicaId(1)));
        let status = record.status.expect("a status");
        assert_eq!((status.keys, status.bytes, status.survivors.len()), (40, 400, SURVIVORS));
        let long = Receipt { pod_name: "p".repeat(253), ..receipt };
        let long = super::record(&group("web", 0), None, &long, DepartureReason::PodDeleted, Timestamp::UNIX_EPOCH);
        assert!(long.metadata.name.is_some_and(|name| name.len() <= 253));
    }

    #[test]
    fn the_reason_is_what_became_of_the_pod() {
        let receipt = receipt(1, Stage::Sealed, Acknowledged);
        let with = |life, standing| {
            let mut facts = pod("a");
            facts.life = life;
            let mut view = view(&[facts.clone()]);
            let pod = view.pods.get_mut("a").expect("a pod");
            (pod.facts, pod.standing) = (Arc::new(facts), standing);
            departure_reason(&view, None, &receipt)
        };
        let terminating = Life::Terminating { grace_seconds: 30 };
        assert_eq!(with(terminating, Standing::Selected), DepartureReason::PodDeleted);
        assert_eq!(with(Life::Finished, Standing::Selected), DepartureReason::PodFinished);
        assert_eq!(with(Life::Running, Standing::Stray), DepartureReason::PodRelabelled);
        assert_eq!(with(Life::Running, Standing::Selected), DepartureReason::AgentStopped);
    }

    #[test]
    fn a_pod_that_is_not_there_any_more_was_deleted_or_has_vanished() {
        let empty = view(&[]);
        let unknown = receipt(1, Stage::Sealed, Unknown);
        assert_eq!(departure_reason(&empty, Some(&row(1, "a", Active)), &unknown), DepartureReason::PodVanished);
        let deleted = MemberRow { grace_seconds: 30, ..row(1, "a", Leaving) };
        assert_eq!(departure_reason(&empty, Some(&deleted), &unknown), DepartureReason::PodDeleted);
        let told = receipt(1, Stage::Sealed, Failed);
        assert_eq!(departure_reason(&empty, None, &told), DepartureReason::PodDeleted);
    }
}
