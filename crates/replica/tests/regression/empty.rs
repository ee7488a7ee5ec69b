//! Groups, shards and messages with nothing in them.

use baton_replica::Need;

use crate::harness::{World, key, roomy};

/// Olric's balancer stopped at the first empty fragment (`return false` in a loop over all), and what came after it was never
/// handed over.
#[test]
fn a_shard_with_nothing_in_it_is_covered_and_hides_no_other() {
    let (mut world, [leaver, survivor]) = World::group(roomy());
    world.leave(leaver);
    assert!(world.is_covered(leaver), "nothing was ever written");
    let (mut other, [full, _]) = World::group(roomy());
    other.put(full, &key("k"));
    other.leave(full);
    assert!(!other.is_covered(full));
    world.need = Need { acks: 1, level: 1 };
    world.seal(leaver);
    assert!(world.exit(leaver));
    assert!(world.names(survivor).is_empty());
}

/// The same for a transfer: an empty state is a state, and who gets it serves from then on.
#[test]
fn the_transfer_of_an_empty_state_makes_a_member() {
    let (mut world, [_]) = World::group(roomy());
    let joiner = world.spawn();
    world.settle();
    world.assert_settled();
    assert!(world.put(joiner, &key("k")).is_some());
    world.settle();
    world.assert_settled();
}

/// Wrong or missing loops over the last of something: a key, a member, a slot.
#[test]
fn a_group_that_was_emptied_takes_writes_again() {
    let (mut world, [a, b]) = World::group(roomy());
    world.put(a, &key("k"));
    world.settle();
    world.delete(b, &key("k"));
    world.settle();
    assert_eq!([a, b].map(|id| (world.shard(id).remembered_keys(), world.shard(id).log_slots())), [(0, 0); 2]);
    world.crash(b);
    world.settle();
    world.delete(a, &key("k"));
    world.put(a, &key("k"));
    let again = world.spawn();
    world.settle();
    world.assert_settled();
    assert_eq!(world.names(again), ["k"]);
}
