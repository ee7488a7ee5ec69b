//! Liveness: when faults end, all replicas converge, joiners get the state, every leaver becomes covered, no log is kept.
//! Only those peers are polled that a call named, so a missing wake-up is a stall.

use proptest::prelude::*;

use crate::harness::{Chances, run, schedules};

proptest! {
    #![proptest_config(crate::harness::config(192))]

    #[test]
    fn the_group_converges_when_faults_end(schedule in schedules(Chances::EVERYTHING, 160)) {
        let mut world = run(&schedule, |_, _| {});
        world.settle();
        world.assert_settled();
    }

    #[test]
    fn restless_members_settle(
        schedule in schedules(Chances { cut: 12, spawn: 8, crash: 4, leave: 6, ..Chances::EVERYTHING }, 160),
    ) {
        let mut world = run(&schedule, |_, _| {});
        world.settle();
        world.assert_settled();
    }
}
