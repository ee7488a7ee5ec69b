//! Handing off to somebody who is about to go, or is gone.

use baton_replica::ReplicaId;

use crate::harness::{World, key, roomy};

/// Our own, found by proof: peers that the operator told of a departure first acknowledged it before it began. Three that
/// leave in a ring, none of whom had heard yet that the next one leaves, were all covered, and all were gone.
#[test]
fn leavers_in_a_ring_do_not_count_each_other() {
    let (mut world, [a, b, c]) = World::group(roomy());
    world.put(a, &key("k"));
    world.settle();
    // Only b has heard that a's pod is terminating; what it says to a is on its way until the end.
    world.terminate(a);
    world.push(b);
    world.pump(b, a, 1);
    for (leaver, peer) in [(b, c), (c, a)] {
        world.leave(leaver);
        while world.deliver(leaver, peer) {}
        world.pump(peer, leaver, 1);
        while world.deliver(peer, leaver) {}
    }
    world.deliver(b, a);
    world.leave(a);
    let covered: Vec<ReplicaId> = [a, b, c].into_iter().filter(|id| world.is_covered(*id)).collect();
    assert!(covered.len() < 3, "all three are covered by each other");
}
