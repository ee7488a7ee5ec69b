//! Groups, shards and messages with nothing in them.

use baton_replica::{Need, Progress, Shard, Shards};

use crate::harness::{World, key, roomy};

const ONE: Need = Need { acks: 1, level: 1 };

/// The shards of one process, each in a group of its own.
struct Two<'a>([&'a Shard; 2]);

impl Shards for Two<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn look_at<R>(&self, index: usize, look: impl FnOnce(&Shard) -> R) -> R {
        look(self.0[index])
    }
}

/// Olric's balancer stopped at the first empty fragment (`return false` in a loop over all), and what came after it was never
/// handed over.
#[test]
fn a_shard_with_nothing_in_it_hides_no_other() {
    let (mut nothing, [leaver, _]) = World::group(roomy());
    nothing.leave(leaver);
    let (mut something, [same, survivor]) = World::group(roomy());
    assert_eq!(leaver, same, "they are shards of one process");
    something.put(leaver, &key("k"));
    something.leave(leaver);
    let both = |something: &World| {
        let (empty, full) = (nothing.shard(leaver), something.shard(leaver));
        [[empty, full], [full, empty]].map(|shards| {
            let shards = Two(shards);
            let clocks = shards.clocks();
            (shards.progress(&clocks, ONE), shards.covering(&clocks, ONE), shards.keys_not_covered())
        })
    };
    for found in both(&something) {
        assert_eq!(found, (Progress::Uncovered, Vec::new(), 1));
    }
    something.exchange(leaver, survivor);
    for (progress, _, keys) in both(&something) {
        assert_eq!((progress, keys), (Progress::Covered, 0));
    }
}

/// Who has nothing to hand off waits for nobody.
#[test]
fn a_member_with_nothing_ends_at_once() {
    let (mut world, [leaver, survivor]) = World::group(roomy());
    world.need = ONE;
    world.leave(leaver);
    assert!(world.is_covered(leaver), "nothing was ever written");
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
