//! Invariant: a write with n acknowledgements is held by n other replicas, so it is readable while at most n of its n + 1
//! holders have crashed.

use baton_replica::{Dot, ReplicaId};
use proptest::prelude::*;

use crate::harness::{Chances, World, run, schedules};

pub(crate) fn check(world: &World, touched: ReplicaId) {
    let shard = world.shard(touched);
    for counter in 1..=shard.clock().get(touched) {
        let dot = Dot { replica: touched, counter };
        let others = world.nodes.iter().filter(|(id, _)| **id != touched).map(|(_, node)| node.shard.clock());
        let ended = world.crashed.iter().chain(&world.exited).map(|(_, clock)| clock);
        let holders = others.chain(ended).filter(|clock| clock.covers(dot)).count();
        let said = shard.acknowledgements(dot) as usize;
        assert!(said <= holders, "{dot} has {said} acknowledgements and {holders} other holders");
    }
}

proptest! {
    #![proptest_config(crate::harness::config(192))]

    #[test]
    fn a_write_outlives_as_many_crashes_as_it_has_acknowledgements(
        schedule in schedules(Chances { put: 20, crash: 3, leave: 0, spawn: 4, ..Chances::EVERYTHING }, 160),
    ) {
        let mut world = run(&schedule, check);
        world.settle();
        world.assert_settled();
        let crashes = world.crashed.len();
        for (dot, said) in world.acknowledged.iter().filter(|(_, said)| **said as usize >= crashes) {
            let holds = world.nodes.values().all(|node| world.oracle.keeps(&node.shard, *dot));
            prop_assert!(holds, "{dot} was lost with {said} acknowledgements and {crashes} crashes");
        }
    }
}
