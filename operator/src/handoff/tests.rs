use std::time::{Duration, Instant};

use baton_crds::membership::MemberPhase::{Active, Gone, Joining, Leaving};
use baton_crds::membership::ReplicaId;
use baton_crds::status::HandoffOutcome::{self, Acknowledged, Failed, NothingToHandOff, Unknown};

use super::{Happening, Ledger, Receipt, Stage};
use crate::fixture::{receipt, row};
use crate::index::Termination;

/// A ledger that has seen the pod `a` as an Active member.
fn ledger(now: Instant) -> Ledger {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.look(&[row(1, "a", Active)], now), []);
    ledger
}

fn outcomes(happenings: &[Happening]) -> Vec<Option<HandoffOutcome>> {
    let outcome = |happening: &Happening| match happening {
        Happening::Started { .. } => None,
        Happening::Concluded(receipt) => Some(receipt.outcome),
    };
    happenings.iter().map(outcome).collect()
}

#[test]
fn a_departure_is_told_once_however_often_it_is_reported() {
    let now = Instant::now();
    let mut ledger = ledger(now);
    assert_eq!(outcomes(&ledger.look(&[row(1, "a", Leaving)], now)), [None]);
    assert_eq!(ledger.note(receipt(1, Stage::Started, Unknown), now), []);
    assert_eq!(ledger.note(receipt(1, Stage::Hook, Acknowledged), now), []);
    assert_eq!(outcomes(&ledger.note(receipt(1, Stage::Sealed, Acknowledged), now)), [Some(Acknowledged)]);
    assert_eq!(ledger.note(receipt(1, Stage::Sealed, Acknowledged), now), []);
    assert_eq!(ledger.look(&[row(1, "a", Gone)], now), []);
    assert_eq!(ledger.overdue(&[row(1, "a", Gone)], now + Duration::from_secs(60)), []);
}

#[test]
fn a_receipt_that_comes_first_tells_the_start_too() {
    let now = Instant::now();
    let mut ledger = ledger(now);
    assert_eq!(outcomes(&ledger.note(receipt(1, Stage::Sealed, Failed), now)), [None, Some(Failed)]);
    assert_eq!(ledger.look(&[row(1, "a", Leaving)], now), []);
}

#[test]
fn a_failed_hook_is_told_at_once_and_corrected_if_the_tail_succeeds() {
    let now = Instant::now();
    let mut ledger = ledger(now);
    assert_eq!(outcomes(&ledger.note(receipt(1, Stage::Hook, Failed), now)), [None, Some(Failed)]);
    assert_eq!(ledger.note(receipt(1, Stage::Hook, Failed), now), []);
    assert_eq!(outcomes(&ledger.note(receipt(1, Stage::Sealed, Acknowledged), now)), [Some(Acknowledged)]);
}

#[test]
fn a_member_that_ended_without_a_receipt_is_unknown_after_a_while() {
    let now = Instant::now();
    let mut ledger = ledger(now);
    let gone = [row(1, "a", Gone)];
    assert_eq!(ledger.look(&gone, now), []);
    assert_eq!(ledger.again_in(now), Some(Duration::from_secs(15)));
    assert_eq!(ledger.overdue(&gone, now + Duration::from_secs(14)), []);
    assert_eq!(outcomes(&ledger.overdue(&gone, now + Duration::from_secs(15))), [Some(Unknown)]);
    assert_eq!(ledger.again_in(now), None);
    assert_eq!(outcomes(&ledger.note(receipt(1, Stage::Sealed, Acknowledged), now)), [None, Some(Acknowledged)]);
}

#[test]
fn a_hook_that_succeeded_is_no_success_of_an_agent_that_was_killed_in_its_tail() {
    let now = Instant::now();
    let mut ledger = ledger(now);
    ledger.note(receipt(1, Stage::Hook, Acknowledged), now);
    let gone = [row(1, "a", Gone)];
    ledger.look(&gone, now);
    assert_eq!(outcomes(&ledger.overdue(&gone, now + Duration::from_secs(15))), [Some(Unknown)]);
}

/// Killed, it could not say a word; what it was asked to stop for, such as another image, it has handed off before.
#[test]
fn an_agent_that_starts_again_in_its_pod_is_a_departure_only_if_it_was_told_to_stop() {
    let now = Instant::now();
    let rows = [row(1, "a", Gone), row(2, "a", Joining)];
    let mut stopped = ledger(now);
    assert_eq!(outcomes(&stopped.note(receipt(1, Stage::Sealed, Acknowledged), now)), [None, Some(Acknowledged)]);
    assert_eq!(stopped.look(&rows, now), []);
    assert_eq!(stopped.overdue(&rows, now + Duration::from_secs(60)), []);

    let mut ledger = ledger(now);
    assert_eq!(ledger.look(&rows, now), []);
    assert_eq!(ledger.overdue(&rows, now + Duration::from_secs(60)), []);
}

#[test]
fn a_member_that_never_held_state_leaves_without_a_word() {
    let now = Instant::now();
    let mut ledger = Ledger::default();
    ledger.look(&[row(1, "a", Joining)], now);
    let mut gone = row(1, "a", Gone);
    gone.held_state = false;
    assert_eq!(ledger.look(std::slice::from_ref(&gone), now), []);
    assert_eq!(ledger.overdue(&[gone], now + Duration::from_secs(60)), []);
}

#[test]
fn what_had_ended_before_the_operator_started_is_not_told_again() {
    let now = Instant::now();
    let mut ledger = Ledger::default();
    assert_eq!(ledger.look(&[row(1, "a", Gone)], now), []);
    assert_eq!(ledger.note(receipt(1, Stage::Sealed, Failed), now), []);
}

#[test]
fn receipts_are_read_from_how_the_container_ended() {
    let read = |exit_code, message: &str| {
        let how = Termination { exit_code, message: message.into() };
        Receipt::of_termination(ReplicaId(1), "a", "uid-a", &how)
    };
    let said = read(
        1,
        r#"{"outcome":"failed","keys":40,"keysUnacknowledged":3,"survivors":[],"holdMillis":20000,"tailMillis":2,"message":"no survivor"}"#,
    )
    .expect("a receipt");
    assert_eq!((said.outcome, said.keys, said.keys_unacknowledged, said.hold_millis), (Failed, 40, 3, 20_000));
    assert_eq!(said.stage, Stage::Sealed);
    assert_eq!(read(0, r#"{"outcome":"acknowledged"}"#).map(|one| one.outcome), Some(Acknowledged));
    assert_eq!(read(0, r#"{"outcome":"nothing"}"#).map(|one| one.outcome), Some(NothingToHandOff));
    assert_eq!(read(1, "panicked").map(|one| one.outcome), Some(Failed));
    assert_eq!(read(137, ""), None);
    assert_eq!(read(0, ""), None);
}

#[test]
fn a_member_that_was_removed_has_not_ended_until_its_pod_has() {
    let now = Instant::now();
    let mut ledger = ledger(now);
    let mut gone = row(1, "a", Gone);
    gone.forgotten = true;
    for _ in 0..2 {
        assert_eq!(ledger.look(std::slice::from_ref(&gone), now), []);
        assert_eq!(ledger.overdue(std::slice::from_ref(&gone), now + Duration::from_secs(60)), []);
    }
    gone.forgotten = false;
    assert_eq!(ledger.look(std::slice::from_ref(&gone), now), []);
    assert_eq!(outcomes(&ledger.overdue(&[gone], now + Duration::from_secs(15))), [Some(Unknown)]);
}

#[test]
fn a_member_that_was_removed_and_came_back_left_nothing_behind() {
    let now = Instant::now();
    let mut ledger = ledger(now);
    let mut gone = row(1, "a", Gone);
    gone.forgotten = true;
    ledger.look(std::slice::from_ref(&gone), now);
    gone.forgotten = false;
    let rows = [gone, row(2, "a", Joining)];
    assert_eq!(ledger.look(&rows, now), []);
    assert_eq!(ledger.overdue(&rows, now + Duration::from_secs(60)), []);
}
