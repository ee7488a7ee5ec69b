//! Transfers in parts. Elsewhere they lost keys, because what came with a part claimed the whole.

use baton_replica::{Condition, Operation, ShardMessage, Value};
use bytes::Bytes;

use crate::harness::{World, key, roomy, tight};

const fn is_chunk(message: &ShardMessage) -> bool {
    matches!(message, ShardMessage::Chunk(_))
}

/// delta_crdt_ex#65: a diff was cut to 200 keys and sent with the whole context; all other keys were deleted on both sides.
/// actor-ts#691: the state went in one frame, and each try closed the link when it had outgrown the frame.
#[test]
fn a_state_of_many_chunks_arrives_whole_and_deletes_nothing_at_its_source() {
    let (mut world, source) = World::new(vec![tight(4)]);
    for number in 0..300 {
        world.put(source, &key(&format!("k{number}")));
    }
    let joiner = world.spawn();
    world.settle();
    world.assert_settled();
    assert_eq!((world.names(source).len(), world.names(joiner).len()), (300, 300));
}

/// delta_crdt_ex#45: two replicas that had both written more than one sync carries never agreed on the rest.
#[test]
fn two_replicas_with_more_to_say_than_one_message_carries_agree() {
    for limits in [tight(4), tight(1_000), roomy()] {
        let (mut world, [a, b]) = World::group(limits);
        world.part(a, b);
        for number in 0..250 {
            world.put(a, &key(&format!("a{number}")));
            world.put(b, &key(&format!("b{number}")));
        }
        world.settle();
        world.assert_settled();
        assert_eq!((world.names(a).len(), world.names(b).len()), (500, 500));
    }
}

/// riak's just-clock-merge-handoff: the clock went with the first part, the sender died, and the rest counted as seen.
#[test]
pub(crate) fn the_first_chunk_of_a_lost_transfer_claims_nothing() {
    let (mut world, [a, b, late]) = World::group(tight(2));
    world.part(a, late);
    world.part(b, late);
    for number in 0..6 {
        world.put(a, &key(&format!("k{number}")));
    }
    world.exchange(a, b);
    world.connect(a, late);
    assert!(world.exchange_until(a, late, is_chunk), "the window does not reach back");
    world.deliver(a, late);
    assert_eq!(world.names(late), ["k0"]);
    assert_eq!(world.shard(late).clock().get(a), 0);
    world.crash(a);
    world.settle();
    world.assert_settled();
    assert_eq!(world.names(late).len(), 6);
}

/// The same for a replica that has no state yet: it must not serve what it has of it.
#[test]
pub(crate) fn a_joiner_whose_source_dies_in_the_middle_starts_again_elsewhere() {
    let (mut world, [a, b]) = World::group(tight(64));
    for number in 0..6 {
        world.put(a, &key(&format!("k{number}")));
    }
    world.exchange(a, b);
    let joiner = world.spawn();
    world.connect(a, joiner);
    assert!(world.exchange_until(a, joiner, is_chunk));
    world.deliver(a, joiner);
    assert!(world.shard(joiner).is_joining() && world.shard(joiner).clock().is_empty());
    assert!(world.shard(joiner).get(&key("k0"), 0).is_err(), "a read would be a guess");
    world.crash(a);
    world.settle();
    world.assert_settled();
    assert_eq!(world.names(joiner).len(), 6);
}

/// What a lost transfer brought stays. If the next one ends without having seen it, it is no less above the clock for that:
/// a joiner that forgot so would be compared with its source, and differ.
#[test]
fn what_only_a_lost_transfer_brought_is_not_taken_for_seen() {
    let (mut world, [a, b]) = World::group(tight(64));
    for number in 0..6 {
        world.put(b, &key(&format!("k{number}")));
    }
    world.settle();
    world.part(a, b);
    world.put(a, &key("k0"));
    let joiner = world.spawn();
    world.connect(a, joiner);
    assert!(world.exchange_until(a, joiner, is_chunk));
    world.deliver(a, joiner);
    world.part(a, joiner);
    world.connect(b, joiner);
    world.exchange(b, joiner);
    assert!(!world.shard(joiner).is_joining());
    assert!(world.shard(joiner).clock().get(a) == 0 && world.names(joiner).len() == 6);
    assert_eq!(world.shard(joiner).digest(), None, "a write is above the clock");
    world.crash(a);
    world.settle();
    world.assert_settled();
    assert_eq!(world.names(joiner).len(), 6);
}

/// A diff by absence: what the sender did not send was deleted, though it had never seen it.
#[test]
fn a_chunk_deletes_nothing_that_its_sender_has_never_seen() {
    let (mut world, [sender, other, late]) = World::group(tight(2));
    world.part(sender, other);
    world.part(sender, late);
    world.put(other, &key("b, by another"));
    world.exchange(other, late);
    world.put(late, &key("a, its own"));
    for number in 0..6 {
        world.put(sender, &key(&format!("k{number}")));
    }
    world.crash(other);
    world.connect(sender, late);
    assert!(world.exchange_until(sender, late, is_chunk));
    world.exchange(sender, late);
    assert_eq!(world.names(late).len(), 8);
    world.settle();
    world.assert_settled();
    assert_eq!(world.names(sender).len(), 8);
}

/// And the other way round: what the sender has seen and holds no more was deleted, and only a chunk says so.
#[test]
fn a_chunk_deletes_what_its_sender_has_seen_deleted() {
    let (mut world, [sender, late]) = World::group(tight(2));
    world.put(late, &key("gone"));
    world.settle();
    world.part(sender, late);
    world.delete(sender, &key("gone"));
    for number in 0..6 {
        world.put(sender, &key(&format!("k{number}")));
    }
    world.connect(sender, late);
    assert!(world.exchange_until(sender, late, is_chunk));
    world.settle();
    world.assert_settled();
    assert_eq!(world.names(late).len(), 6);
}

/// Writes made at the sender while it streams were taken as part of what its first clock claimed.
#[test]
fn what_is_written_behind_the_cursor_of_a_transfer_comes_after_it() {
    let (mut world, source) = World::new(vec![tight(64)]);
    for number in 0..6 {
        world.put(source, &key(&format!("k{number}")));
    }
    let joiner = world.spawn();
    world.connect(source, joiner);
    assert!(world.exchange_until(source, joiner, is_chunk));
    world.deliver(source, joiner);
    world.put(source, &key("a, behind the cursor"));
    world.delete(source, &key("k0"));
    world.delete(source, &key("k5"));
    world.exchange(source, joiner);
    world.settle();
    world.assert_settled();
    assert_eq!(world.names(joiner), ["a, behind the cursor", "k1", "k2", "k3", "k4"]);
}

/// akka-core#22327, #28421, akka.net#7250, chitchat's MTU: an entry larger than a message never left, and nobody said so.
#[test]
fn an_entry_larger_than_a_message_arrives_by_every_way() {
    let large = |world: &mut World, at| {
        let value = Value { content_type: "".into(), body: Bytes::from(vec![7; 1 << 20]) };
        let put = Operation::Put { value, expires_at: None };
        world.write(at, &key("large"), Condition::Always, put).expect("live");
    };
    let size = |world: &World, at| {
        let read = world.shard(at).get(&key("large"), world.now).expect("live");
        read.map(|read| read.value.body.len())
    };
    let (mut world, [origin, relay, late]) = World::group(tight(64));
    world.part(origin, late);
    large(&mut world, origin);
    world.put(origin, &key("small"));
    world.exchange(origin, relay);
    assert_eq!(size(&world, relay), Some(1 << 20), "as a range");
    world.crash(origin);
    world.node(relay).flush();
    world.exchange(relay, late);
    assert_eq!(size(&world, late), Some(1 << 20), "as a pull");
    let joiner = world.spawn();
    world.settle();
    assert_eq!(size(&world, joiner), Some(1 << 20), "as a chunk");
}

/// chitchat#178, chitchat PR#179: a full state that was made for an old request came after newer writes, and took the
/// receiver's version back.
#[test]
pub(crate) fn a_full_state_that_comes_after_newer_writes_takes_nothing_back() {
    let (mut world, [a, b, late]) = World::group(tight(3));
    for peer in [a, b] {
        world.part(peer, late);
    }
    for number in 0..6 {
        world.put(a, &key(&format!("k{number}")));
    }
    world.exchange(a, b);
    world.connect(a, late);
    assert!(world.exchange_until(a, late, is_chunk));
    world.put(b, &key("newer"));
    world.delete(b, &key("k0"));
    world.connect(b, late);
    let is_range = |message: &ShardMessage| matches!(message, ShardMessage::Range(_));
    while world.shard(late).clock().get(b) < 2 {
        assert!(world.exchange_until(b, late, is_range));
        world.deliver(b, late);
    }
    let before = world.shard(late).clock().clone();
    world.exchange(a, late);
    assert!(world.shard(late).clock().covers_all(&before));
    assert!(!world.shard(late).is_rejoining());
    assert_eq!(world.names(late), ["k1", "k2", "k3", "k4", "k5", "newer"]);
}

/// xredis-crdt#10, #109: a full sync took what the sender did not have for deleted, though the sender had never seen it.
#[test]
pub(crate) fn two_that_take_each_others_full_state_keep_what_each_has_alone() {
    let (mut world, [a, b]) = World::group(tight(2));
    world.part(a, b);
    for number in 0..5 {
        world.put(a, &key(&format!("a{number}")));
        world.put(b, &key(&format!("b{number}")));
    }
    world.connect(a, b);
    assert!(world.exchange_until(a, b, is_chunk) || world.exchange_until(b, a, is_chunk));
    world.settle();
    world.assert_settled();
    assert_eq!((world.names(a).len(), world.names(b).len()), (10, 10));
}
