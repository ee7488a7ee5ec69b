//! Transfers in parts. Elsewhere they lost keys, because what came with a part claimed the whole.

use baton_replica::ShardMessage;

use crate::harness::{World, key, roomy, tight};

const fn is_chunk(message: &ShardMessage) -> bool {
    matches!(message, ShardMessage::Chunk(_))
}

/// delta_crdt_ex#65: a diff was cut to 200 keys and sent with the whole context; all other keys were deleted on both sides.
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
fn the_first_chunk_of_a_lost_transfer_claims_nothing() {
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
fn a_joiner_whose_source_dies_in_the_middle_starts_again_elsewhere() {
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
