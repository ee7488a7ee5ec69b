//! Joining: from whom, and when a replica holds the state.

use baton_replica::{Condition, Operation, Value, WriteError};
use bytes::Bytes;

use crate::harness::{World, key, tight};

fn source_with_five_keys() -> (World, baton_replica::ReplicaId) {
    let (mut world, source) = World::new(vec![tight(2)]);
    for number in 0..5 {
        world.put(source, &key(&format!("k{number}")));
    }
    (world, source)
}

/// olric, horde PR#67: a member was ready before it held the data, and what a client wrote then lost what was on its way.
/// swarm#69, keycloak#52088: what was handed over came to a member that had not started yet, or it was asked like the others.
#[test]
pub(crate) fn a_joiner_takes_no_operation_before_it_holds_the_state() {
    let (mut world, source) = source_with_five_keys();
    let joiner = world.spawn();
    let value = Value { content_type: "".into(), body: Bytes::new() };
    let refused = world.node(joiner).shard.put(&key("k0"), value, &Condition::Absent, 0);
    assert_eq!(refused, Err(WriteError::Joining));
    assert_eq!(world.node(joiner).shard.delete(&key("k0"), &Condition::Always, 0), Err(WriteError::Joining));
    world.push(source);
    assert_eq!(world.shard(source).members_that_count(), 0, "no write waits for a joiner");
    world.connect(source, joiner);
    world.exchange(source, joiner);
    assert_eq!(world.names(joiner).len(), 5);
    assert_eq!(world.shard(source).members_that_count(), 1);
}

/// A lone pod and its replacement waited for each other: nobody served a joiner but Active members.
#[test]
fn two_joiners_take_the_state_of_one_leaving_member() {
    let (mut world, leaver) = source_with_five_keys();
    world.leave(leaver);
    let (a, b) = (world.spawn(), world.spawn());
    world.connect(leaver, a);
    world.connect(leaver, b);
    world.connect(a, b);
    for _ in 0..3 {
        world.exchange(a, b);
        world.deliver(leaver, a);
        world.deliver(leaver, b);
    }
    assert!(world.shard(a).is_joining() && world.shard(b).is_joining());
    world.settle();
    world.seal(leaver);
    world.settle();
    assert!(world.exit(leaver));
    assert_eq!((world.names(a).len(), world.names(b).len()), (5, 5));
    world.settle();
    world.assert_settled();
}

/// A sealed member takes nothing in, and still serves the state to the one that replaces it.
#[test]
fn a_sealed_member_still_hands_the_state_to_a_late_joiner() {
    let (mut world, leaver) = source_with_five_keys();
    world.leave(leaver);
    world.seal(leaver);
    let joiner = world.spawn();
    world.settle();
    assert!(world.exit(leaver));
    assert_eq!(world.names(joiner).len(), 5);
}

/// A replica that ended before its bootstrap served its empty state, and a joiner started empty from it.
#[test]
fn a_member_that_never_held_the_state_gives_none() {
    let (mut world, source) = source_with_five_keys();
    let (ended, joiner) = (world.spawn(), world.spawn());
    world.leave(ended);
    world.seal(ended);
    world.push(joiner);
    world.connect(ended, joiner);
    world.exchange(ended, joiner);
    assert!(world.shard(joiner).is_joining());
    world.connect(source, joiner);
    world.exchange(source, joiner);
    assert_eq!(world.names(joiner).len(), 5);
}

/// Two joiners that ask each other go on asking until somebody with the state comes.
#[test]
fn joiners_that_know_only_each_other_wait() {
    let (mut world, source) = source_with_five_keys();
    let (a, b) = (world.spawn(), world.spawn());
    world.leave(a);
    world.leave(b);
    world.push(a);
    world.push(b);
    world.connect(a, b);
    world.exchange(a, b);
    assert!(world.shard(a).is_joining() && world.shard(b).is_joining());
    world.connect(source, b);
    world.exchange(source, b);
    world.exchange(a, b);
    assert_eq!((world.names(a).len(), world.names(b).len()), (5, 5));
}

/// horde PR#67, orleans#5687, #6857, akka-core#22150: the new owner of a name started with a default, which was newer than
/// the state that was on its way to it, and won.
#[test]
pub(crate) fn a_default_loses_to_the_state_that_is_on_its_way() {
    let (mut world, [source, late]) = World::group(tight(64));
    world.part(source, late);
    let real = world.put(source, &key("k")).expect("live");
    world.now += 60_000;
    let value = Value { content_type: "".into(), body: Bytes::from_static(b"default") };
    let init = Operation::Init { value, expires_at: None };
    assert!(world.write(late, &key("k"), Condition::Always, init).expect("can be done").dot.is_some());
    world.settle();
    for id in [source, late] {
        let read = world.shard(id).get(&key("k"), world.now).expect("live").expect("there");
        assert_eq!(read.versions()[0].dot, real);
    }
}
