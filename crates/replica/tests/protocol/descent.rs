//! Invariant: states that were founded apart become one when their holders meet, and nothing of either is lost, not even
//! what retired replicas wrote.

use baton_replica::{MemberPhase, ReplicaId, ShardMessage};

use crate::harness::{World, key, roomy};

/// Two hold the state, with what a retired replica wrote; both go out of sight, and another starts empty.
fn founded_apart() -> (World, [ReplicaId; 3]) {
    let (mut world, [a, b, gone]) = World::group(roomy());
    for name in ["old", "replaced", "deleted"] {
        world.put(gone, &key(name));
    }
    world.settle();
    world.crash(gone);
    world.settle();
    assert!(!world.shard(a).roster().lists(gone), "not retired yet");
    world.cut_off(a);
    world.cut_off(b);
    let new = world.spawn();
    world.push(new);
    assert!(world.node(new).shard.start_empty().bootstrapped);
    world.became_active(new);
    (world, [a, b, new])
}

#[test]
pub(crate) fn what_retired_replicas_wrote_survives_a_start_without_it() {
    let (mut world, [a, b, new]) = founded_apart();
    world.put(new, &key("new"));
    world.put(new, &key("replaced"));
    world.settle();
    world.come_into_sight(a);
    world.come_into_sight(b);
    world.settle();
    for id in [a, b, new] {
        assert_eq!(world.names(id), ["deleted", "new", "old", "replaced"]);
        assert_eq!(world.shard(id).founders().len(), 2);
        assert!(world.shard(id).digest().is_some());
    }
    world.delete(new, &key("deleted"));
    world.settle();
    for id in [a, b, new] {
        assert_eq!(world.names(id), ["new", "old", "replaced"]);
    }
}

/// Who has nothing of the older state is no survivor for it, although its clock covers all that is listed.
#[test]
pub(crate) fn nobody_hands_an_older_state_to_who_lacks_it() {
    let (mut world, [a, b, new]) = founded_apart();
    world.crash(b);
    world.come_into_sight(a);
    assert!(world.operator.bury());
    for id in [a, new] {
        world.push(id);
    }
    world.leave(a);
    world.connect(a, new);
    while world.shard(new).founders().len() < 2 {
        assert!(!world.is_covered(a), "nobody has what {a} holds");
        assert!(world.exchange_once(a, new), "{new} never asks for what {a} holds");
    }
    world.settle();
    assert!(world.is_covered(a));
    assert_eq!(world.names(new), ["deleted", "old", "replaced"]);
    assert_eq!(world.nodes[&new].phase, MemberPhase::Active);
}

/// Who waits for the state may be let start without it meanwhile, and get it from somebody else.
#[test]
fn a_transfer_that_is_given_up_comes_to_its_end() {
    let (mut world, [a, b]) = World::group(roomy());
    world.put(a, &key("k"));
    world.settle();
    let new = world.spawn();
    for id in [a, b, new] {
        world.push(id);
    }
    world.connect(new, a);
    assert!(world.exchange_until(new, a, |message| matches!(message, ShardMessage::Fetch { .. })));
    assert!(world.node(new).shard.start_empty().bootstrapped);
    world.became_active(new);
    world.connect(new, b);
    world.exchange(new, b);
    assert_eq!(world.names(new), ["k"]);
    world.settle();
    for id in [a, b, new] {
        assert!(world.shard(id).digest().is_some(), "{id} cannot compare what it holds");
    }
}

/// Who is asked for the state may have none, and be heard only when who asked was let start without it.
#[test]
fn who_was_let_start_without_the_state_waits_for_nobody_who_has_none() {
    let (mut world, [a]) = World::group(roomy());
    world.put(a, &key("k"));
    world.cut_off(a);
    let stateless = world.spawn();
    let new = world.spawn();
    for id in [stateless, new] {
        world.push(id);
    }
    world.leave(stateless);
    world.connect(new, stateless);
    assert!(world.exchange_until(stateless, new, |message| matches!(message, ShardMessage::Behind { .. })));
    assert!(world.node(new).shard.start_empty().bootstrapped);
    world.became_active(new);
    world.exchange(new, stateless);
    world.come_into_sight(a);
    world.push(new);
    world.connect(new, a);
    world.exchange(new, a);
    assert_eq!(world.names(new), ["k"]);
}

/// The source of another state may end before it has sent all of it.
#[test]
fn who_loses_the_source_of_another_state_turns_to_the_next() {
    let (mut world, [a, b, new]) = founded_apart();
    world.come_into_sight(a);
    world.settle();
    assert_eq!(world.shard(a).founders().len(), 2);
    world.come_into_sight(b);
    world.connect(b, a);
    assert!(world.exchange_until(a, b, |message| matches!(message, ShardMessage::Chunk(_))));
    world.connect(b, new);
    world.exchange(b, new);
    assert_eq!(world.shard(b).founders().len(), 1);
    world.part(a, b);
    world.exchange(b, new);
    assert_eq!(world.shard(b).founders().len(), 2);
}
