//! Deletes and overwrites: what they leave behind, and what comes too late to undo them.

use baton_replica::{Entry, Packed, ShardMessage};

use crate::harness::{World, key, live_state, roomy, tight};

/// A tombstone that did not name its own delete let a relay, which had seen the delete and not its reason, bring the key back.
#[test]
pub(crate) fn a_tombstone_names_its_own_delete() {
    let (mut world, [a, b, _away]) = World::group(roomy());
    let put = world.put(a, &key("k")).expect("live");
    world.exchange(a, b);
    let delete = world.delete(b, &key("k")).expect("there was one");
    world.exchange(a, b);
    for id in [a, b] {
        let (_, entry) = world.shard(id).entries().next().expect("a tombstone");
        assert!(entry.versions().is_empty() && entry.context().covers(put) && entry.context().covers(delete));
    }
}

/// Tombstones that nobody ever forgot filled Riak's and delta_crdt's disks and memory.
#[test]
fn a_tombstone_that_everybody_has_seen_is_forgotten() {
    let (mut world, [a, b]) = World::group(roomy());
    world.put(a, &key("k"));
    world.put(a, &key("k"));
    world.settle();
    let context = |world: &World| world.shard(b).entries().next().expect("one key").1.context().len();
    assert_eq!(context(&world), 0, "what the second put superseded is remembered");
    world.delete(b, &key("k"));
    world.settle();
    assert_eq!([a, b].map(|id| world.shard(id).remembered_keys()), [0, 0]);
}

/// akka.net#8219: a replica that was away for longer than tombstones live brought deleted keys back.
#[test]
pub(crate) fn a_replica_that_was_away_does_not_bring_a_key_back() {
    for limits in [roomy(), tight(64), tight(2)] {
        let (mut world, [a, b, away]) = World::group(limits);
        world.put(away, &key("deleted"));
        world.put(away, &key("kept"));
        world.settle();
        world.part(a, away);
        world.part(b, away);
        world.delete(a, &key("deleted"));
        for _ in 0..5 {
            world.put(b, &key("other"));
            world.exchange(a, b);
        }
        world.settle();
        world.assert_settled();
        assert_eq!(world.names(a), ["kept", "other"]);
    }
}

/// A range that arrives again after the delete of what it carries.
#[test]
fn a_late_copy_of_a_range_does_not_bring_a_key_back() {
    let (mut world, [a, b]) = World::group(tight(64));
    world.put(a, &key("k"));
    world.exchange(a, b);
    world.delete(b, &key("k"));
    world.exchange(a, b);
    for at in 0..8 {
        world.replay(at, None);
    }
    world.settle();
    world.assert_settled();
    assert!(world.names(a).is_empty() && world.names(b).is_empty());
}

/// A range that leaves a gap below it: its keys are taken, and nothing is claimed.
#[test]
pub(crate) fn a_range_over_a_gap_claims_nothing() {
    let (mut world, [a, b]) = World::group(tight(64));
    world.put(a, &key("k1"));
    world.put(a, &key("k2"));
    assert!(world.exchange_until(a, b, |message| matches!(message, ShardMessage::Range(_))));
    let Some(ShardMessage::Range(mut first)) = world.network.peek(a, b).cloned() else { unreachable!("just seen") };
    (first.from, first.to, first.items[0].key, first.items[0].slots) = (1, 2, key("k2"), vec![2]);
    let (link, now) = (world.network.link(a, b).expect("up"), world.now);
    first.items[0].entry = world.shard(a).entries().nth(1).expect("two keys").1.clone();
    world.node(b).handle(a, link, ShardMessage::Range(first), now).expect("whole");
    assert_eq!((world.names(b), world.shard(b).clock().get(a)), (vec!["k2".to_owned()], 0));
    world.settle();
    world.assert_settled();
    assert_eq!(world.names(b), ["k1", "k2"]);
}

/// The window of a dead origin served again from its start, by a peer who remembers no reason for what is gone.
#[test]
pub(crate) fn a_version_that_was_seen_before_is_not_taken_again_without_its_tombstone() {
    let (mut world, [a, b]) = World::group(tight(64));
    world.put(a, &key("k"));
    assert!(world.exchange_until(a, b, |message| matches!(message, ShardMessage::Range(_))));
    let Some(ShardMessage::Range(alive)) = world.network.peek(a, b).cloned() else { unreachable!("just seen") };
    let (link, now) = (world.network.link(a, b).expect("up"), world.now);
    let mut forgotten = alive.clone();
    forgotten.items[0].entry = Entry::default();
    world.node(b).handle(a, link, ShardMessage::Range(forgotten), now).expect("whole");
    world.node(b).handle(a, link, ShardMessage::Range(alive), now).expect("whole");
    assert_eq!(world.names(b), Vec::<String>::new());
}

/// A chunk without a key whose version its sender has seen: it was deleted, and the tombstone is forgotten already.
#[test]
pub(crate) fn a_version_that_the_sender_of_a_chunk_has_seen_and_lost_is_deleted() {
    let (mut world, [a, b]) = World::group(tight(2));
    world.put(b, &key("gone"));
    world.settle();
    world.part(a, b);
    for number in 0..6 {
        world.put(a, &key(&format!("k{number}")));
    }
    world.connect(a, b);
    let is_first = |message: &ShardMessage| matches!(message, ShardMessage::Chunk(chunk) if chunk.index == 0);
    assert!(world.exchange_until(a, b, is_first));
    let Some(ShardMessage::Chunk(mut chunk)) = world.network.peek(a, b).cloned() else { unreachable!("just seen") };
    assert_eq!(chunk.items.items().expect("sound")[0].key, key("gone"));
    chunk.items = Packed::default();
    let (link, now) = (world.network.link(a, b).expect("up"), world.now);
    world.node(b).handle(a, link, ShardMessage::Chunk(chunk), now).expect("whole");
    assert_eq!(world.names(b), Vec::<String>::new());
}

/// A tombstone that all members but a joining one have acknowledged: the joiner's source had not when it began to send.
#[test]
pub(crate) fn a_tombstone_that_a_joiner_may_need_is_kept() {
    let (mut world, [a, b]) = World::group(roomy());
    world.put(a, &key("k"));
    world.settle();
    let joiner = world.spawn();
    for id in [a, b] {
        world.push(id);
    }
    world.connect(a, joiner);
    assert!(world.exchange_until(a, joiner, |message| matches!(message, ShardMessage::Chunk(_))));
    world.delete(b, &key("k"));
    for _ in 0..2 {
        world.exchange(a, b);
        world.node(a).flush();
        world.node(b).flush();
    }
    assert_eq!([a, b].map(|id| world.shard(id).remembered_keys()), [1, 1]);
    world.settle();
    world.assert_settled();
    assert_eq!([a, b, joiner].map(|id| world.shard(id).remembered_keys()), [0, 0, 0]);
}

/// Our own, found by a model: a context that everybody has acknowledged was purged beside a version that not everybody had.
/// Its writer crashed, and the version was settled without the context, and lived beside what it had replaced.
#[test]
pub(crate) fn a_context_is_kept_while_a_version_beside_it_is_not_everybodys() {
    let (mut world, [first, second, holder, other]) = World::group(roomy());
    for peer in [holder, other] {
        world.part(second, peer);
    }
    world.part(first, holder);
    world.put(first, &key("k"));
    world.exchange(first, second);
    world.exchange(first, other);
    world.part(first, other);
    let last = world.put(second, &key("k")).expect("live");
    world.exchange(second, first);
    world.connect(first, holder);
    // It gets the second version along with the first one's range, and hears that the others have the first one.
    let is_range = |message: &ShardMessage| matches!(message, ShardMessage::Range(range) if range.from == 0);
    assert!(world.exchange_until(first, holder, is_range));
    world.deliver(first, holder);
    world.node(other).flush();
    world.exchange(other, holder);
    world.crash(first);
    world.crash(second);
    world.settle();
    world.assert_settled();
    for id in [holder, other] {
        assert_eq!(live_state(world.shard(id))[&key("k")], [last].into());
    }
}

/// Add wins over a concurrent delete, and a delete leaves what it has not observed.
#[test]
fn a_delete_spares_what_it_has_not_seen() {
    let (mut world, [a, b]) = World::group(roomy());
    world.put(a, &key("k"));
    world.settle();
    world.part(a, b);
    let spared = world.put(a, &key("k")).expect("live");
    world.delete(b, &key("k"));
    world.settle();
    world.assert_settled();
    assert_eq!(live_state(world.shard(b))[&key("k")], [spared].into());
}

/// Concurrent writes stay as siblings until the next write, and everybody reads the same winner.
#[test]
fn concurrent_writes_stay_as_siblings_in_one_order() {
    let (mut world, [a, b, c]) = World::group(roomy());
    for (x, y) in [(a, b), (b, c), (a, c)] {
        world.part(x, y);
    }
    for id in [a, b, c] {
        world.put(id, &key("k"));
    }
    world.settle();
    let read = |world: &World, id| world.shard(id).get(&key("k"), 0).expect("live").expect("there").versions();
    assert_eq!(read(&world, a).len(), 3);
    assert_eq!((read(&world, b), read(&world, c)), (read(&world, a), read(&world, a)));
    let after = world.put(c, &key("k")).expect("live");
    world.settle();
    world.assert_settled();
    assert_eq!(read(&world, a).iter().map(|version| version.dot).collect::<Vec<_>>(), [after]);
}

/// Pekko forgets its markers after 6 hours, Ditto after 7 days, chitchat and peat-mesh after a time: who was away for longer brings
/// deleted keys back. Here time forgets nothing.
#[test]
fn no_time_makes_a_tombstone_forgotten_that_somebody_has_not_seen() {
    let (mut world, [a, b, away]) = World::group(roomy());
    world.put(a, &key("k"));
    world.settle();
    world.part(a, away);
    world.part(b, away);
    world.delete(a, &key("k"));
    world.exchange(a, b);
    world.now += 366 * 86_400_000;
    for id in [a, b] {
        let now = world.now;
        world.node(id).shard.expire(now, usize::MAX);
        world.put(id, &key("other"));
        world.exchange(a, b);
        assert_eq!(world.shard(id).remembered_keys(), 2, "the tombstone is still there");
    }
    world.settle();
    world.assert_settled();
    assert_eq!(world.names(away), ["other"]);
    assert_eq!(world.shard(a).remembered_keys(), 1);
}
