//! Liveness: when faults end, all replicas converge, joiners get the state, every leaver becomes covered, no log is kept.
//! Only those peers are polled that a call named, so a missing wake-up is a stall.

use baton_replica::{
    Condition, Key, Limits, MapName, MemberPhase, Operation, ReplicaId, Request, Roster, Shard, Value,
};
use proptest::prelude::*;

use crate::harness::{Chances, World, list, roomy, run, schedules};

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

/// The fields of a hash have long names that differ in their ends, and hardly a value: packed, they are a few bytes each,
/// and unpacked some kilobytes, of which one message brings so many at most.
#[test]
fn a_joiner_gets_many_long_keys_that_are_alike() {
    let (mut world, [a]) = World::group(Limits::default());
    let hash = Key::new(&MapName::parse("map").expect("valid"), &[b'n'; 1_024]).expect("valid");
    let field = |number: u32| [&[b'f'; 1_000][..], &number.to_be_bytes()].concat();
    for page in 0..20 {
        let request = |at: u32| {
            let value = Value { content_type: "".into(), body: "".into() };
            let operation = Operation::Put { value, expires_at: None };
            let key = hash.with_field(&field(page * 1_000 + at)).expect("valid");
            Request { key, condition: Condition::Always, operation }
        };
        world.write_all(a, (0..1_000).map(request).collect()).expect("a batch within its bounds");
    }
    let new = world.spawn();
    world.push(a);
    world.push(new);
    world.connect(a, new);
    world.exchange(a, new);
    assert!(!world.shard(new).is_joining());
}

/// Every holder of the state has been removed: who may start without it waits for nobody's word of them.
#[test]
fn whoever_starts_empty_alone_settles_all_that_are_gone() {
    let [me, gone] = [1, 2].map(|number| ReplicaId::new(number).expect("not zero"));
    let mut roster = Roster::new(me);
    roster.take(&list(1, &[(me, MemberPhase::Joining), (gone, MemberPhase::Gone)]));
    let mut shard = Shard::new(0, Roster::new(me), roomy());
    let _ = shard.set_roster(roster);
    assert_eq!(shard.settled(gone), None);
    let _ = shard.start_empty();
    assert_eq!(shard.settled(gone), Some(0));
}
