//! Replicas that hold different things although they have seen the same: a corruption, which is found and made good.

use baton_replica::{Entry, ReplicaId, ShardMessage};

use crate::harness::{World, key, roomy};

/// One of two has lost a key, and nothing of the other knows of a delete: both have it in the end.
#[test]
pub(crate) fn what_one_has_lost_comes_back_from_the_others() {
    let (mut world, [a, b]) = World::group(roomy());
    lose_a_key(&mut world, a, b);
    world.node(a).shard.offer_digest();
    world.node(a).wake_all();
    world.exchange(a, b);
    assert!(world.shard(b).digest_mismatches() > 0, "it is counted");
    for id in [a, b] {
        assert_eq!(world.names(id), ["kept", "lost"]);
    }
    world.settle();
    world.assert_settled();
}

/// Nobody settles anything while a transfer is under way to it: what it had heard by then waited until something else moved.
#[test]
fn a_member_that_is_gone_is_settled_when_a_repair_ends() {
    let (mut world, [a, b, gone]) = World::group(roomy());
    lose_a_key(&mut world, a, b);
    world.node(a).shard.offer_digest();
    world.node(a).wake_all();
    assert!(world.exchange_until(b, a, |message| matches!(message, ShardMessage::Fetch { .. })));
    world.crash(gone);
    world.operator.bury();
    for id in [a, b] {
        world.push(id);
    }
    assert!(world.exchange_until(a, b, |message| matches!(message, ShardMessage::Settle(_))));
    world.deliver(a, b);
    assert!(world.shard(b).is_rejoining(), "the repair goes on");
    assert_eq!(world.shard(b).settled(gone), None);
    world.exchange(a, b);
    assert_eq!(world.names(b), ["kept", "lost"]);
    assert_eq!([a, b].map(|id| world.shard(id).settled(gone)), [Some(0); 2]);
}

/// One member writes two keys, of which another takes one only, and has seen both.
fn lose_a_key(world: &mut World, a: ReplicaId, b: ReplicaId) {
    world.put(a, &key("lost"));
    world.put(a, &key("kept"));
    let is_range = |message: &ShardMessage| matches!(message, ShardMessage::Range(_));
    assert!(world.exchange_until(a, b, is_range));
    let Some(ShardMessage::Range(mut range)) = world.network.peek(a, b).cloned() else { unreachable!("just seen") };
    let lost = range.items.iter_mut().find(|item| item.key == key("lost"));
    lost.expect("it was written").entry = Entry::default();
    let (link, now) = (world.network.link(a, b).expect("up"), world.now);
    world.node(b).handle(a, link, ShardMessage::Range(range), now).expect("whole");
    world.settle();
    assert_eq!((world.names(a).len(), world.names(b)), (2, vec!["kept".to_owned()]));
}
