//! Invariant: replicas with equal clocks and member lists, without exceptions and without a transfer under way, have equal
//! live state. It is that of all writes that the clock covers, and no clock covers a write that the replica does not hold.

use baton_replica::ReplicaId;
use proptest::prelude::*;

use crate::harness::{Chances, World, exceptions, live_state, run, schedules};

pub(crate) fn check(world: &World, touched: ReplicaId) {
    let node = &world.nodes[&touched];
    world.oracle.assert_claims_are_held(&node.shard);
    if !exceptions(&node.shard).is_empty() {
        return;
    }
    let state = live_state(&node.shard);
    if !node.shard.is_rejoining() {
        assert_eq!(state, world.oracle.live(&node.shard), "{touched} differs from what its clock says");
    }
    for (other, peer) in &world.nodes {
        let same_list = peer.list.version == node.list.version;
        let same = same_list && peer.shard.clock() == node.shard.clock() && exceptions(&peer.shard).is_empty();
        if same && !node.shard.is_rejoining() && !peer.shard.is_rejoining() {
            assert_eq!(
                state,
                live_state(&peer.shard),
                "{touched} and {other} have seen the same and hold different keys"
            );
        }
    }
}

proptest! {
    #![proptest_config(crate::harness::config(192))]

    #[test]
    fn replicas_that_have_seen_the_same_writes_hold_the_same_keys(
        schedule in schedules(Chances { put: 20, delete: 8, crash: 0, leave: 0, ..Chances::EVERYTHING }, 160),
    ) {
        let mut world = run(&schedule, check);
        world.settle();
        world.assert_settled();
    }

    #[test]
    fn a_crash_at_any_step_leaves_no_claim_without_its_write(
        schedule in schedules(Chances { crash: 6, spawn: 6, ..Chances::EVERYTHING }, 160),
    ) {
        let mut world = run(&schedule, check);
        world.settle();
        world.assert_settled();
    }
}
