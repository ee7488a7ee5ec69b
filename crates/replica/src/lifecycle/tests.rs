//! The phases, driven by hand.

mod surroundings;

use super::*;

fn active(grace: u64) -> Lifecycle {
    let grace = Duration::from_secs(grace);
    let stop_without_hook = Duration::from_secs(2);
    let mut life = Lifecycle::new(Budget { grace, handoff_timeout: Duration::from_secs(20), stop_without_hook });
    life.bootstrapped();
    life
}

fn actions(life: &mut Lifecycle) -> Vec<Action> {
    std::iter::from_fn(|| life.poll_action()).collect()
}

#[test]
fn the_hook_returns_when_its_watermark_is_covered_and_not_before() {
    let mut life = active(30);
    life.hook(1_000);
    assert_eq!(actions(&mut life), [Action::AnnounceLeaving, Action::AskAgain]);
    life.progress(Progress::Uncovered, Progress::Uncovered, 1_010);
    assert_eq!(actions(&mut life), []);
    life.progress(Progress::Covered, Progress::Uncovered, 1_020);
    assert_eq!(actions(&mut life), [Action::ReturnHook(Outcome::Acknowledged)]);
    assert_eq!((life.phase(), life.held_millis()), (Phase::Draining, Some(20)));
}

#[test]
fn a_hook_that_is_never_covered_fails_at_its_deadline_and_leaves_the_reserve() {
    let mut life = active(30);
    life.hook(0);
    actions(&mut life);
    life.tick(19_999);
    assert_eq!(actions(&mut life), []);
    assert_eq!(life.next_deadline(), Some(20_000));
    life.tick(20_000);
    assert_eq!(actions(&mut life), [Action::ReturnHook(Outcome::Failed)]);
}

#[test]
fn a_short_grace_period_keeps_half_of_it_for_the_tail() {
    let budget = |grace| active(grace).budget;
    assert_eq!(budget(4).hold(), Duration::from_secs(2));
    assert_eq!(budget(15).hold(), Duration::from_secs(10));
    assert_eq!(budget(30).hold(), Duration::from_secs(20));
}

#[test]
fn a_sealed_replica_exits_with_success_only_when_everything_is_covered() {
    let mut life = active(30);
    life.hook(0);
    actions(&mut life);
    life.progress(Progress::Covered, Progress::Covered, 5);
    assert_eq!(life.phase(), Phase::Tail);
    life.stop(1_000);
    actions(&mut life);
    life.progress(Progress::Covered, Progress::Uncovered, 1_100);
    assert_eq!(actions(&mut life), []);
    life.tick(26_699);
    assert_eq!(actions(&mut life), []);
    life.tick(26_700);
    assert_eq!(actions(&mut life), [Action::Exit(Outcome::Failed)]);
    life.progress(Progress::Covered, Progress::Covered, 26_800);
    assert_eq!(actions(&mut life), [], "a failure that was said is not taken back");
}

#[test]
fn coverage_from_before_the_seal_ends_nothing() {
    let mut life = active(30);
    life.hook(0);
    actions(&mut life);
    life.progress(Progress::Covered, Progress::Covered, 5);
    life.stop(1_000);
    life.progress(Progress::Covered, Progress::Covered, 1_001);
    let before_seal = actions(&mut life);
    assert_eq!(before_seal.last(), Some(&Action::Seal), "a write may come in before the shards are sealed");
    life.progress(Progress::Covered, Progress::Covered, 1_002);
    assert_eq!(actions(&mut life), [Action::Exit(Outcome::Acknowledged)]);
}

#[test]
fn a_stop_late_in_the_grace_period_still_has_two_seconds() {
    let mut life = active(30);
    life.hook(0);
    actions(&mut life);
    life.stop(40_000);
    assert_eq!(life.next_deadline(), Some(20_000), "the hook is still held and overdue");
    life.tick(40_000);
    assert_eq!(life.next_deadline(), Some(41_700));
}

#[test]
fn a_second_call_of_the_hook_is_the_same_operation() {
    let mut life = active(30);
    life.hook(0);
    life.hook(10);
    assert_eq!(actions(&mut life), [Action::AnnounceLeaving, Action::AskAgain]);
    life.progress(Progress::Covered, Progress::Covered, 20);
    assert_eq!(actions(&mut life), [Action::ReturnHook(Outcome::Acknowledged)]);
}

#[test]
fn a_hook_after_the_first_has_returned_answers_for_what_is_known_by_then() {
    let mut life = active(30);
    life.hook(0);
    actions(&mut life);
    life.progress(Progress::Covered, Progress::Covered, 20);
    actions(&mut life);
    life.hook(5_000);
    life.progress(Progress::Covered, Progress::Uncovered, 5_001);
    assert_eq!(actions(&mut life), [Action::AskAgain], "the old watermark says nothing of later writes");
    life.progress(Progress::Uncovered, Progress::Uncovered, 5_002);
    assert_eq!(life.next_deadline(), Some(25_000), "it has a time of its own");
    life.tick(25_000);
    assert_eq!(actions(&mut life), [Action::ReturnHook(Outcome::Failed)]);
    life.hook(40_000);
    life.stop(41_000);
    actions(&mut life);
    assert_eq!(life.next_deadline(), Some(60_000), "and so has the stop after it");
}

#[test]
fn a_departure_that_the_list_began_long_before_takes_nothing_from_the_hook() {
    let mut life = active(30);
    life.terminating(None, 0);
    life.hook(60_000);
    life.tick(60_000);
    assert_eq!(actions(&mut life), [Action::AnnounceLeaving, Action::AskAgain]);
    life.tick(60_000);
    life.progress(Progress::Covered, Progress::Covered, 60_000);
    assert_eq!(actions(&mut life), [Action::ReturnHook(Outcome::Acknowledged)]);
    life.stop(61_000);
    assert_eq!(life.next_deadline(), Some(86_700));
}

#[test]
fn a_replica_that_holds_nothing_leaves_at_once() {
    let mut life = Lifecycle::new(active(30).budget);
    life.hook(0);
    life.progress(Progress::Nothing, Progress::Nothing, 0);
    life.stop(1);
    let mut all = actions(&mut life);
    life.progress(Progress::Nothing, Progress::Nothing, 1);
    all.extend(actions(&mut life));
    assert!(all.contains(&Action::ReturnHook(Outcome::Nothing)) && all.contains(&Action::Exit(Outcome::Nothing)));
}

#[test]
fn what_is_not_handed_over_yet_is_not_done_unless_there_is_nothing() {
    let each = [Progress::Nothing, Progress::Uncovered, Progress::Covered];
    assert_eq!(each.map(|one| one.and_handed_over(true)), each);
    let waiting = [Progress::Nothing, Progress::Uncovered, Progress::Uncovered];
    assert_eq!(each.map(|one| one.and_handed_over(false)), waiting);
}

/// Found by fuzzing: a list with the greatest number of seconds made the deadline wrap, and the hook return at once.
#[test]
fn a_grace_period_without_end_holds_the_hook_until_it_is_covered() {
    let mut life = active(30);
    life.set_handoff_timeout(Duration::from_millis(u64::MAX));
    life.terminating(Some(Duration::from_secs(u64::MAX)), 1_000);
    life.hook(1_000);
    actions(&mut life);
    life.tick(1_000_000);
    assert_eq!((actions(&mut life), life.next_deadline()), (vec![], Some(u64::MAX)));
    life.stop(1_000_000);
    actions(&mut life);
    life.tick(2_000_000);
    assert_eq!(actions(&mut life), []);
}

#[test]
fn a_released_hold_ends_at_once_and_is_never_a_success() {
    let mut life = active(30);
    assert!(!life.release(0), "nothing is held");
    life.hook(0);
    actions(&mut life);
    assert!(life.release(3_000));
    assert_eq!(actions(&mut life), [Action::ReturnHook(Outcome::Failed)]);
    assert_eq!((life.held_millis(), life.released()), (Some(3_000), true));
    assert!(!life.release(3_001), "the hold is over, and the app's end is its own");
    life.progress(Progress::Covered, Progress::Covered, 3_100);
    life.stop(4_000);
    assert_eq!(actions(&mut life), [Action::Seal]);
    life.progress(Progress::Covered, Progress::Covered, 4_001);
    assert_eq!(actions(&mut life), [Action::Exit(Outcome::Failed)]);
}

#[test]
fn a_seal_that_follows_a_release_gets_two_seconds() {
    let mut life = active(3_600);
    life.hook(0);
    actions(&mut life);
    life.release(1_000);
    life.stop(5_000);
    actions(&mut life);
    assert_eq!(life.next_deadline(), Some(5_000 + 2_000 - 300));
}

#[test]
fn a_seal_can_be_released_too() {
    let mut life = active(30);
    life.hook(0);
    actions(&mut life);
    life.progress(Progress::Covered, Progress::Covered, 5);
    life.stop(1_000);
    actions(&mut life);
    assert!(life.release(1_500));
    assert_eq!(actions(&mut life), [Action::Exit(Outcome::Failed)]);
    assert!(!life.release(1_501));
}

#[test]
fn a_hook_that_is_called_again_after_a_release_is_not_held() {
    let mut life = active(30);
    life.hook(0);
    actions(&mut life);
    life.release(1_000);
    actions(&mut life);
    life.hook(2_000);
    assert_eq!(actions(&mut life), [Action::AskAgain, Action::ReturnHook(Outcome::Failed)]);
}
