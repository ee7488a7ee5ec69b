//! Invariant: a replica whose handoff is reported acknowledged leaves no write behind: some survivor covers its whole
//! clock, and so on through any chain of departures, several at once included.

use baton_replica::{AckLevel, MemberPhase, Need, ReplicaId, Shard, VersionVector};
use proptest::prelude::*;

use crate::harness::{Chances, Schedule, World, key, roomy, run, schedules};

/// Nothing that was reported as handed off depends on a replica that has ended. A crash excuses the loss of what the
/// crashed one had acknowledged.
pub(crate) fn check(world: &World, touched: ReplicaId) {
    let node = &world.nodes[&touched];
    if node.phase == MemberPhase::Leaving && world.is_covered(touched) {
        assert_held_by_others(world, touched, node.shard.clock());
    }
    for (id, clock) in &world.exited {
        assert_held_by_others(world, *id, clock);
    }
}

fn assert_held_by_others(world: &World, leaver: ReplicaId, clock: &VersionVector) {
    if clock.is_empty() {
        return;
    }
    // What was retired is settled: everybody has it.
    let lists = |id: &ReplicaId| !world.oracle.is_retired(*id);
    let covers =
        |other: &VersionVector| clock.iter().filter(|(id, _)| lists(id)).all(|(id, counter)| other.get(id) >= counter);
    let holders = world.nodes.iter().filter(|(id, _)| **id != leaver).map(|(_, node)| node.shard.clock());
    let held = holders.chain(world.crashed.iter().map(|(_, clock)| clock)).any(covers);
    assert!(held, "{leaver} was covered up to {clock:?}, and nobody else has all of that");
}

fn run_to_the_end(schedule: &Schedule) -> World {
    let mut world = run(schedule, check);
    world.settle();
    for id in world.ids() {
        check(&world, id);
    }
    world.assert_settled();
    world
}

/// A write that was acknowledged once has two holders; when one of them leaves, another takes its place, however many
/// acknowledgements the leaver's own clients ask for.
#[test]
fn who_leaves_leaves_as_many_holders_as_were_promised() {
    let (mut world, [writer, holder, late]) = World::group(roomy());
    world.need = Need { acks: 1, level: 0 };
    assert_eq!(world.node(writer).shard.admit(AckLevel::Count(1), true), Ok(1));
    world.put(writer, &key("k"));
    world.exchange(writer, holder);
    for leaver in [writer, holder] {
        world.leave(leaver);
        world.exchange(writer, holder);
        assert!(!world.is_covered(leaver), "{leaver} would leave {late} without the write");
    }
    world.settle();
    assert!(world.is_covered(writer) && world.is_covered(holder));
}

/// Nobody waits for a survivor that cannot be reached.
#[test]
fn nobody_takes_the_place_of_a_leaver_who_cannot_be_reached() {
    let (mut world, [writer, holder, away]) = World::group(roomy());
    world.need = Need { acks: 1, level: 1 };
    world.cut_off(away);
    world.put(writer, &key("k"));
    world.leave(writer);
    world.settle();
    assert!(world.is_covered(writer));
    assert!(world.shard(holder).clock().get(writer) > 0);
}

proptest! {
    #![proptest_config(crate::harness::config(192))]

    #[test]
    fn who_leaves_covered_leaves_nothing_behind(
        schedule in schedules(Chances { crash: 0, leave: 7, spawn: 8, ..Chances::EVERYTHING }, 200),
    ) {
        let world = run_to_the_end(&schedule);
        prop_assert!(world.crashed.is_empty());
    }

    #[test]
    fn two_acknowledgements_outlive_one_crash(
        mut schedule in schedules(Chances { crash: 3, leave: 5, spawn: 8, ..Chances::EVERYTHING }, 200),
    ) {
        schedule.need = Need { acks: 2, level: 2 };
        schedule.keep_first_crash();
        let world = run_to_the_end(&schedule);
        for (leaver, clock) in &world.exited {
            let keeps = |shard: &Shard| world.oracle.made(clock).all(|dot| world.oracle.keeps(shard, dot));
            let held = world.nodes.values().any(|node| keeps(&node.shard)) || clock.is_empty();
            prop_assert!(held, "{leaver} was covered twice, and one crash lost what it had seen");
        }
    }
}
