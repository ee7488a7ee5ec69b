//! Seeds that once failed, each under the name of what was wrong: a check, the simulated operator, the protocol.

use baton_simulation::run;

/// The survivor of one that left had handed off to another, which the leaver was not linked with, and which was lost with
/// all of it: only those whom the leaver was linked with were asked whether they had failed.
#[test]
fn the_heir_of_a_survivor_may_fail_whether_the_leaver_knows_it_or_not() {
    assert_eq!(run(61_324_625).violation, None);
}

/// The operator heard what a process knows before its hello, and did not note which pod that was in: it was listed twice,
/// once as one that stays although its pod was terminating, and was killed without having been told to leave.
#[test]
fn who_is_heard_of_before_its_hello_is_in_the_pod_that_it_runs_in() {
    assert_eq!(run(120_006_267).violation, None);
}

/// The first that was heard of a process was what it knows: the one before it in its pod stayed listed as if it ran.
#[test]
fn who_was_in_the_pod_before_has_ended_when_the_next_is_heard_of() {
    assert_eq!(run(131_005_071).violation, None);
}

/// Who was let start empty took the word of a peer that it has no state for one of its window, waited for its state, and
/// took nobody else's: no hook of theirs could succeed.
#[test]
fn who_was_let_start_without_the_state_waits_for_nobody_who_has_none() {
    assert_eq!(run(131_001_458).violation, None);
}

/// SIGTERM came before all was issued again that a process held under a former id: it was sealed, could issue nothing more,
/// and failed with all survivors in reach.
#[test]
fn who_is_stopped_before_all_is_issued_again_hands_it_off() {
    assert_eq!(run(150_019_857).violation, None);
}
