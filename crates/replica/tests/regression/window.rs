//! The log window: what a range may claim, and what happens to those whom the window no longer serves.

use baton_replica::{Limits, ShardMessage};

use crate::harness::{World, key, roomy, tight};

const fn is_range(message: &ShardMessage) -> bool {
    matches!(message, ShardMessage::Range(_))
}

const fn is_behind(message: &ShardMessage) -> bool {
    matches!(message, ShardMessage::Behind { .. })
}

/// A log compacted to the newest write of a key ships a range without the key that it claims; with its origin dead, a
/// leaver that has the older write is covered by somebody who has none.
#[test]
pub(crate) fn a_key_overwritten_later_is_in_every_range_that_claims_an_earlier_write() {
    let (mut world, [origin, survivor, leaver]) = World::group(tight(64));
    world.part(origin, survivor);
    world.put(origin, &key("k1"));
    world.exchange(origin, leaver);
    world.part(origin, leaver);
    world.put(origin, &key("k2"));
    world.put(origin, &key("k1"));
    world.connect(origin, survivor);
    while world.shard(survivor).clock().get(origin) < 2 {
        assert!(world.exchange_until(origin, survivor, is_range));
        world.deliver(origin, survivor);
        world.oracle.assert_claims_are_held(world.shard(survivor));
    }
    world.crash(origin);
    world.leave(leaver);
    world.settle();
    world.seal(leaver);
    world.settle();
    assert!(world.exit(leaver));
    assert_eq!(world.names(survivor), ["k1", "k2"]);
}

/// The same when the newer write of the key is another origin's.
#[test]
pub(crate) fn a_key_overwritten_elsewhere_is_in_every_range_that_claims_an_earlier_write() {
    let (mut world, [origin, writer, survivor, leaver]) = World::group(roomy());
    for (a, b) in [(origin, survivor), (writer, survivor), (writer, leaver)] {
        world.part(a, b);
    }
    world.put(origin, &key("k1"));
    world.exchange(origin, leaver);
    world.part(origin, leaver);
    world.exchange(origin, writer);
    world.put(writer, &key("k1"));
    world.exchange(origin, writer);
    world.put(origin, &key("k2"));
    world.connect(origin, survivor);
    assert!(world.exchange_until(origin, survivor, is_range));
    world.deliver(origin, survivor);
    assert_eq!(world.shard(survivor).clock().get(origin), 2);
    world.oracle.assert_claims_are_held(world.shard(survivor));
    world.crash(origin);
    world.crash(writer);
    world.leave(leaver);
    world.settle();
    world.seal(leaver);
    world.settle();
    assert!(world.exit(leaver));
    assert_eq!(world.names(survivor), ["k1", "k2"]);
}

/// phoenix_pubsub#74: who fell behind the kept deltas was served the rest of them, and missed what was between.
#[test]
fn a_subscriber_whose_window_is_cut_under_it_takes_the_whole_state() {
    let (mut world, [writer, reader]) = World::group(tight(2));
    world.put(writer, &key("k0"));
    assert!(world.exchange_until(writer, reader, is_range), "the first write is on its way");
    for number in 1..6 {
        world.put(writer, &key(&format!("k{number}")));
    }
    assert!(world.exchange_until(writer, reader, is_behind), "the next range would start below the window");
    world.settle();
    world.assert_settled();
    assert_eq!(world.names(reader).len(), 6);
}

/// swift-distributed-actors#210: a delta was done with when it had been sent. A range that was lost with its link must be sent
/// again on the next, from what was acknowledged and not from what was sent.
#[test]
pub(crate) fn a_range_lost_with_its_link_is_sent_again() {
    let (mut world, [writer, reader]) = World::group(tight(64));
    for number in 0..4 {
        world.put(writer, &key(&format!("k{number}")));
        assert!(world.exchange_until(writer, reader, is_range));
        world.part(writer, reader);
        world.connect(writer, reader);
    }
    assert!(world.names(reader).is_empty());
    world.settle();
    world.assert_settled();
    assert_eq!(world.names(reader).len(), 4);
}

/// A write known to one member only, whose origin is dead, must spread from there.
#[test]
pub(crate) fn the_writes_of_a_crashed_origin_are_pulled_from_whoever_has_them() {
    for limits in [roomy(), tight(64), tight(2)] {
        let (mut world, [origin, holder, other]) = World::group(limits);
        world.part(origin, other);
        for number in 0..5 {
            world.put(origin, &key(&format!("k{number}")));
        }
        world.exchange(origin, holder);
        world.part(origin, holder);
        world.crash(origin);
        world.node(holder).flush();
        world.exchange(holder, other);
        assert_eq!(world.names(other).len(), 5, "without the operator's help");
        world.settle();
        world.assert_settled();
    }
}

/// A relay that had only a part of a dead origin's writes was believed to have them all.
#[test]
pub(crate) fn two_parts_of_a_crashed_origins_writes_are_put_together() {
    let (mut world, [origin, some, more]) = World::group(tight(64));
    world.put(origin, &key("k0"));
    world.exchange(origin, some);
    world.part(origin, some);
    world.put(origin, &key("k1"));
    world.put(origin, &key("k0"));
    world.exchange(origin, more);
    world.crash(origin);
    let joiner = world.spawn();
    world.connect(some, joiner);
    world.exchange(some, joiner);
    assert_eq!(world.names(joiner), ["k0"]);
    world.settle();
    world.assert_settled();
    assert_eq!((world.names(some), world.names(joiner)), (world.names(more), world.names(more)));
}

/// Slots that all others had acknowledged before they came here stayed until the window was full.
#[test]
fn an_idle_group_keeps_no_slot() {
    let (mut world, [a, b, c]) = World::group(tight(64));
    for (at, name) in [(a, "k0"), (b, "k0"), (c, "k1"), (a, "k2")] {
        world.put(at, &key(name));
    }
    assert!(world.shard(a).log_slots() > 0);
    world.settle();
    world.assert_settled();
    assert_eq!(world.ids().iter().map(|id| world.shard(*id).log_slots()).sum::<usize>(), 0);
}

/// chitchat PR#176, akka-core#22606, #22648: who stood exactly where the kept deltas begin was sent the full state, or nothing.
#[test]
fn a_subscriber_exactly_at_the_start_of_the_window_is_served_by_a_range() {
    let (mut world, [writer, reader]) = World::group(tight(2));
    world.put(writer, &key("k0"));
    world.settle();
    world.part(writer, reader);
    for number in 1..3 {
        world.put(writer, &key(&format!("k{number}")));
    }
    world.connect(writer, reader);
    assert!(!world.exchange_until(writer, reader, is_behind), "two slots are kept, and two are needed");
    assert_eq!(world.names(reader).len(), 3);
    world.part(writer, reader);
    for number in 3..6 {
        world.put(writer, &key(&format!("k{number}")));
    }
    world.connect(writer, reader);
    assert!(world.exchange_until(writer, reader, is_behind), "three are needed");
    world.exchange(writer, reader);
    assert_eq!(world.names(reader).len(), 6);
}

/// Our own, found by a random schedule: a pull that a transfer had overtaken was answered with "behind", and the origin was
/// asked of nobody any more.
#[test]
fn a_pull_that_a_transfer_has_overtaken_is_put_to_the_next_peer() {
    let (mut world, [origin, some, more, late]) = World::group(Limits { max_slots: 2, ..Limits::default() });
    for peer in [origin, some, more] {
        world.part(late, peer);
    }
    for number in 0..6 {
        world.put(origin, &key(&format!("k{number}")));
    }
    world.exchange(origin, some);
    world.part(some, origin);
    world.part(some, more);
    world.put(origin, &key("k6"));
    world.exchange(origin, more);
    world.crash(origin);

    world.connect(late, some);
    assert!(world.exchange_until(some, late, |message| matches!(message, ShardMessage::Behind { .. })));
    world.deliver(some, late);
    world.connect(late, more);
    assert!(world.exchange_until(more, late, |message| matches!(message, ShardMessage::Applied(_))));
    world.deliver(more, late);
    world.pump(late, some, 1);
    world.deliver(late, some);
    world.pump(some, late, 1);
    world.exchange(late, some);
    world.exchange(late, more);
    assert_eq!(world.names(late).len(), 7);
}
