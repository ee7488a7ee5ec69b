//! What is left of members that are gone: all of their writes, and nothing of themselves.

use baton_replica::{MemberPhase, ShardMessage};

use crate::harness::{World, key, live_state, roomy, tight};

/// horde#116, Horde PR#291: the keys of a member went with it when it was taken off the list.
#[test]
fn what_a_retired_member_wrote_stays() {
    for limits in [roomy(), tight(4)] {
        let (mut world, [a, b, gone]) = World::group(limits);
        for number in 0..6 {
            world.put(gone, &key(&format!("k{number}")));
        }
        world.delete(gone, &key("k5"));
        world.settle();
        let before = live_state(world.shard(a));
        world.crash(gone);
        world.settle();
        assert!(!world.shard(a).roster().lists(gone), "it is retired");
        for id in [a, b] {
            assert_eq!(live_state(world.shard(id)), before);
        }
        world.assert_settled();
    }
}

/// delta_crdt#13, horde#200, phoenix_pubsub#175 (permdown): clocks kept an entry for every process there ever was.
#[test]
fn a_retired_member_leaves_nothing_of_itself() {
    let (mut world, [a, b]) = World::group(roomy());
    let size = |world: &World| format!("{:?}", world.shard(a)).len();
    let mut sizes = Vec::new();
    for _ in 0..24 {
        let passer = world.spawn();
        world.settle();
        world.put(passer, &key("k"));
        world.put(a, &key("k"));
        world.settle();
        world.crash(passer);
        world.settle();
        world.now = 1_700_000_000_000;
        sizes.push(size(&world));
    }
    assert_eq!((world.shard(a).clock().len(), world.shard(b).clock().len()), (1, 1));
    let (early, late) = (sizes[3], sizes[23]);
    assert!(late <= early + 64, "a shard grew from {early} to {late} with the members that are gone");
}

/// akka.net#8219, PR#8220: a member that had heard of the removal, and never got what the removed one had written, passed the lack
/// on as a deletion. Here nobody can say that a replica is settled who lacks what another holds of it.
#[test]
pub(crate) fn nobody_settles_a_member_whose_writes_it_lacks() {
    let (mut world, [holder, lacks, gone]) = World::group(tight(64));
    world.part(gone, lacks);
    world.put(gone, &key("k0"));
    world.put(gone, &key("k1"));
    world.exchange(gone, holder);
    world.crash(gone);
    world.operator.bury();
    world.push(holder);
    world.push(lacks);
    assert_eq!((world.shard(holder).settled(gone), world.shard(lacks).settled(gone)), (None, None));
    let is_settle = |message: &ShardMessage| matches!(message, ShardMessage::Settle(_));
    assert!(world.exchange_until(holder, lacks, is_settle));
    world.deliver(holder, lacks);
    assert_eq!(world.shard(lacks).settled(gone), None, "it has heard everybody, and holds nothing yet");
    world.exchange(holder, lacks);
    assert_eq!((world.shard(holder).settled(gone), world.shard(lacks).settled(gone)), (Some(2), Some(2)));
    assert_eq!(world.names(lacks), ["k0", "k1"]);
}

/// The same for a chunk: its sender had retired a replica of which the receiver still held something that it did not.
#[test]
pub(crate) fn what_only_one_holds_of_a_member_that_is_gone_is_everybodys_before_it_is_forgotten() {
    let (mut world, [origin, relay, a, b]) = World::group(roomy());
    for peer in [a, b] {
        world.part(origin, peer);
    }
    world.part(relay, b);
    world.put(relay, &key("k"));
    world.exchange(relay, a);
    world.part(relay, a);
    world.put(origin, &key("other"));
    world.put(origin, &key("k"));
    world.exchange(origin, relay);
    world.connect(relay, b);
    // b gets the origin's second write along with the relay's first, and its own range never.
    let is_range = |message: &ShardMessage| matches!(message, ShardMessage::Range(range) if range.from == 0);
    assert!(world.exchange_until(relay, b, is_range));
    world.deliver(relay, b);
    world.crash(origin);
    world.crash(relay);
    world.settle();
    world.assert_settled();
    assert!(!world.shard(a).roster().lists(origin));
    for id in [a, b] {
        assert!(world.names(id).contains(&"k".to_owned()));
        assert_eq!(live_state(world.shard(id)), live_state(world.shard(a)));
    }
}

/// The same for one that joins: the member that gave it the state may have ended since, and have told nobody else.
#[test]
pub(crate) fn nobody_settles_a_member_before_who_joins_has_said_what_it_holds() {
    let (mut world, [a, b, gone]) = World::group(roomy());
    let joiner = world.spawn();
    world.crash(gone);
    assert!(world.operator.bury());
    for id in [a, b] {
        world.push(id);
    }
    world.exchange(a, b);
    assert_eq!((world.shard(a).settled(gone), world.shard(b).settled(gone)), (None, None));
    world.settle();
    world.assert_settled();
    assert!(!world.shard(joiner).roster().lists(gone));
}

/// Our own, found by proof: the writes of a retired replica counted as held above the clock as soon as they were
/// overwritten, and the digests of the shard were never compared again.
#[test]
fn what_a_retired_replica_wrote_is_no_exception_when_it_is_overwritten() {
    let (mut world, [a, b, gone]) = World::group(roomy());
    world.put(gone, &key("k"));
    world.settle();
    world.crash(gone);
    world.settle();
    assert!(!world.shard(a).roster().lists(gone), "it is retired");
    world.put(a, &key("k"));
    world.settle();
    for id in [a, b] {
        assert!(world.shard(id).digest().is_some(), "{id} compares nothing any more");
    }
}

/// phoenix_pubsub's permdown is forgotten with time; an id that is Gone never speaks again, whatever it does.
#[test]
fn a_member_that_is_gone_is_not_heard_any_more() {
    let (mut world, [a, b]) = World::group(roomy());
    world.operator.report(b, MemberPhase::Gone);
    let list = world.operator.list();
    let dot = world.put(b, &key("k")).expect("it does not know yet");
    let (link, now) = (world.network.link(a, b).expect("up"), world.now);
    let message = world.node(b).shard.poll_transmit(a, link).expect("its write");
    world.node(a).take(&list);
    let refused = world.node(a).shard.handle(b, link, message, now);
    assert!(refused.is_err() && !world.shard(a).clock().covers(dot));
}
