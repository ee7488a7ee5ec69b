//! Wall clocks that are wrong decide ties, and nothing else.

use baton_replica::ReplicaId;

use crate::harness::{World, key, live_state, roomy};

fn winner(world: &World, at: ReplicaId) -> ReplicaId {
    let read = world.shard(at).get(&key("k"), world.now).expect("live").expect("there");
    read.versions()[0].dot.replica
}

/// aphyr 285 on last-write-wins, Olric's client timestamps: the later write lost to one from a clock that was ahead.
#[test]
pub(crate) fn a_later_write_wins_over_what_it_has_seen_whatever_the_clocks_say() {
    let (mut world, [a, b]) = World::group(roomy());
    world.put(a, &key("k"));
    world.settle();
    world.now -= 3_600_000;
    let later = world.put(b, &key("k")).expect("live");
    world.settle();
    world.assert_settled();
    for id in [a, b] {
        assert_eq!(live_state(world.shard(id))[&key("k")], [later].into());
    }
}

/// delta_crdt orders writes by the time since the VM started, so that the newest pod loses every conflict.
#[test]
fn a_process_that_has_just_started_wins_a_conflict_that_it_is_later_in() {
    let (mut world, [old]) = World::group(roomy());
    for _ in 0..50 {
        world.put(old, &key("k"));
    }
    let new = world.spawn();
    world.settle();
    world.nodes.values_mut().for_each(|node| node.skew = 0);
    world.now += 60_000;
    world.part(old, new);
    world.put(old, &key("k"));
    world.put(old, &key("k"));
    world.now += 1_000;
    world.put(new, &key("k"));
    world.settle();
    assert_eq!((winner(&world, old), winner(&world, new)), (new, new));
}

/// A clock that was hours ahead for a moment won every conflict for hours, and pulled all others along.
#[test]
fn a_clock_that_was_hours_ahead_does_not_pull_the_others_along() {
    let (mut world, [wrong, a, b]) = World::group(roomy());
    world.nodes.values_mut().for_each(|node| node.skew = 0);
    world.node(wrong).skew = 4 * 3_600_000;
    world.put(wrong, &key("k"));
    world.settle();
    world.put(a, &key("k"));
    world.settle();
    let ahead = |world: &World, at| {
        let read = world.shard(at).get(&key("k"), world.now).expect("live").expect("there");
        read.versions()[0].hlc.millis().saturating_sub(world.now)
    };
    assert!(ahead(&world, b) <= 60_000, "{} ms ahead", ahead(&world, b));
}
