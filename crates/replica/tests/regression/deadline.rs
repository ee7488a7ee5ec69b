//! Departures whose time runs out, and what the process says of them.

use std::time::Duration;

use baton_replica::{Action, Budget, Lifecycle, Outcome, Progress};

use crate::harness::{World, key, roomy};

/// A process that serves, with half a minute to go when it is told to.
fn active() -> Lifecycle {
    let seconds = Duration::from_secs;
    let budget = Budget { grace: seconds(30), handoff_timeout: seconds(20), stop_without_hook: seconds(30) };
    let mut life = Lifecycle::new(budget);
    life.bootstrapped();
    life
}

fn actions(life: &mut Lifecycle) -> Vec<Action> {
    std::iter::from_fn(|| life.poll_action()).collect()
}

/// Hazelcast waits 600 s and then reports success; Pekko's phases recover; infinispan#16316: a time that ran out passed for
/// a handoff. kubernetes#65496: a preStop hook of five minutes was cut short by a grace period of thirty seconds; the hook
/// here ends before that, and says that it has failed.
#[test]
pub(crate) fn a_departure_whose_time_is_up_has_failed() {
    let mut life = active();
    life.hook(0);
    actions(&mut life);
    life.progress(Progress::Uncovered, Progress::Uncovered, 1);
    life.tick(20_000);
    assert_eq!(actions(&mut life), [Action::ReturnHook(Outcome::Failed)]);
    life.stop(21_000);
    actions(&mut life);
    life.tick(30_000);
    assert_eq!(actions(&mut life), [Action::Exit(Outcome::Failed)]);
    assert!(!Outcome::Failed.is_safe());
}

/// kubernetes#107024, #53727, #93818: preStop never ran. Then SIGTERM alone starts the handoff, with the time that is left.
#[test]
fn a_stop_without_a_hook_hands_off_too() {
    let mut life = active();
    life.stop(1_000);
    assert_eq!(actions(&mut life), [Action::AnnounceLeaving, Action::Seal]);
    life.progress(Progress::Uncovered, Progress::Uncovered, 1_001);
    assert_eq!(actions(&mut life), []);
    life.progress(Progress::Uncovered, Progress::Covered, 1_500);
    assert_eq!(actions(&mut life), [Action::Exit(Outcome::Acknowledged)]);
}

/// kubernetes#89263, #88236, #43576, #67592, orleans#3563: endpoints are withdrawn while the pod ends, in no order with its
/// hook, and what was written after the last look at the state was left behind.
#[test]
pub(crate) fn what_is_written_while_the_hook_is_held_is_handed_off_before_the_end() {
    let (mut world, [leaver, survivor]) = World::group(roomy());
    let mut life = active();
    let look = |world: &World, life: &mut Lifecycle, now| {
        let progress = if world.is_covered(leaver) { Progress::Covered } else { Progress::Uncovered };
        life.progress(progress, progress, now);
    };
    life.hook(0);
    actions(&mut life);
    world.leave(leaver);
    world.exchange(leaver, survivor);
    look(&world, &mut life, 1);
    assert_eq!(actions(&mut life), [Action::ReturnHook(Outcome::Acknowledged)]);
    life.stop(2);
    look(&world, &mut life, 3);
    world.put(leaver, &key("late"));
    assert_eq!(actions(&mut life), [Action::Seal], "a write may come in before that");
    world.seal(leaver);
    look(&world, &mut life, 4);
    assert_eq!(actions(&mut life), [], "the late write is nowhere else");
    world.exchange(leaver, survivor);
    look(&world, &mut life, 5);
    assert_eq!(actions(&mut life), [Action::Exit(Outcome::Acknowledged)]);
    assert_eq!(world.names(survivor), ["late"]);
}

/// kubernetes#116965, node shutdown: a pod is killed in the middle of its handoff. What was confirmed is not lost with it.
#[test]
fn a_kill_in_the_middle_of_a_departure_loses_nothing_that_was_confirmed() {
    let (mut world, [leaver, a, b]) = World::group(roomy());
    world.part(leaver, b);
    let confirmed = world.put(leaver, &key("confirmed")).expect("live");
    world.exchange(leaver, a);
    assert_eq!(world.shard(leaver).acknowledgements(confirmed), 1);
    world.leave(leaver);
    world.put(leaver, &key("not confirmed"));
    world.crash(leaver);
    world.settle();
    world.assert_settled();
    assert_eq!((world.names(a), world.names(b)), (vec!["confirmed".to_owned()], vec!["confirmed".to_owned()]));
}
