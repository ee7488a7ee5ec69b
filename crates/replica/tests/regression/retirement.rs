//! What is left of members that are gone.

use crate::harness::{World, key, roomy};

/// Our own, found by proof: the writes of a retired replica counted as held above the clock as soon as they were
/// overwritten, and the digests of the shard were never compared again.
#[test]
fn what_a_retired_replica_wrote_is_no_exception_when_it_is_overwritten() {
    let (mut world, [a, b, gone]) = World::group(roomy());
    world.put(gone, &key("k"));
    world.settle();
    world.crash(gone);
    world.settle();
    for id in [a, b] {
        assert!(!world.shard(id).roster().lists(gone), "nobody retired {gone}");
        assert_eq!(world.shard(id).clock().get(gone), 0);
    }
    world.put(a, &key("k"));
    world.settle();
    for id in [a, b] {
        assert!(world.shard(id).digest().is_some(), "{id} compares nothing any more");
    }
}
