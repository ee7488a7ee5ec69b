//! Where siblings make a range too large for one message, entries go ahead of it, and nothing is claimed before its end.

use baton_replica::{Condition, Entry, Limits, Operation, Range, ReplicaId, Request, ShardMessage, Value};
use bytes::Bytes;

use crate::harness::{World, key, live_state, roomy};

/// Two entries with five values fit.
const MESSAGE_BYTES: usize = 12_000;
const KEYS: [&str; 4] = ["w", "x", "y", "z"];

fn limits() -> Limits {
    Limits { message_bytes: MESSAGE_BYTES, ..roomy() }
}

fn request(name: &str, body: u8) -> Request {
    let value = Value { content_type: "".into(), body: Bytes::from(vec![body; 1_000]) };
    Request { key: key(name), condition: Condition::Always, operation: Operation::Put { value, expires_at: None } }
}

fn put_batch(world: &mut World, at: ReplicaId) {
    let requests = KEYS.map(|name| request(name, at.bits() as u8)).to_vec();
    world.write_all(at, requests).expect("possible");
}

/// All but the last of a group have put the same batch, none having seen the others', and now have those of all. The last
/// is linked with nobody.
fn beside<const N: usize>() -> (World, [ReplicaId; N]) {
    let (mut world, ids) = World::group::<N>(limits());
    let pairs: Vec<_> = ids.iter().enumerate().flat_map(|(at, a)| ids[at + 1..].iter().map(|b| (*a, *b))).collect();
    for (a, b) in &pairs {
        world.part(*a, *b);
    }
    let writers = &ids[..N - 1];
    for writer in writers {
        put_batch(&mut world, *writer);
    }
    for (a, b) in pairs.iter().filter(|(_, b)| writers.contains(b)) {
        world.connect(*a, *b);
        world.exchange(*a, *b);
    }
    (world, ids)
}

const fn is_range(message: &ShardMessage) -> bool {
    matches!(message, ShardMessage::Range(_))
}

/// The next range, or what goes ahead of one, that a replica has sent to another; it is not delivered yet.
fn next_range(world: &mut World, from: ReplicaId, to: ReplicaId) -> Option<Range> {
    world.exchange_until(from, to, is_range).then(|| match world.network.peek(from, to) {
        Some(ShardMessage::Range(range)) => range.clone(),
        other => panic!("{other:?} is no range"),
    })
}

/// Delivers all that a replica has to say to another; returns the ranges.
fn ranges(world: &mut World, from: ReplicaId, to: ReplicaId) -> Vec<Range> {
    let mut all = Vec::new();
    while let Some(range) = next_range(world, from, to) {
        all.push(range);
        world.deliver(from, to);
    }
    all
}

fn carried(range: &Range) -> Vec<&Entry> {
    range.items.iter().map(|item| &item.entry).filter(|entry| **entry != Entry::default()).collect()
}

fn assert_fits(range: &Range) {
    let entries = carried(range);
    let bytes: usize = entries.iter().map(|entry| entry.size()).sum();
    assert!(bytes <= MESSAGE_BYTES || entries.len() == 1, "{} entries of {bytes} bytes", entries.len());
}

fn assert_same_at_rest(world: &mut World) {
    world.settle();
    let mut digests = world.nodes.values().map(|node| node.shard.digest().expect("nothing is above a clock"));
    let first = digests.next().expect("somebody");
    assert!(digests.all(|digest| digest == first));
}

#[test]
fn a_range_fits_a_message_whoever_has_put_beside() {
    let (mut world, [source, b, c, d, e, last]) = beside();
    world.connect(source, last);
    let all = ranges(&mut world, source, last);
    all.iter().for_each(assert_fits);
    for origin in [source, b, c, d, e] {
        let of_origin: Vec<&Range> = all.iter().filter(|range| range.origin == origin).collect();
        let (claim, ahead) = of_origin.split_last().expect("its batch");
        assert_eq!(ahead.iter().map(|range| carried(range).len()).sum::<usize>(), 2, "{origin}");
        assert!(ahead.iter().all(|range| range.is_ahead() && range.items.iter().all(|item| item.slots.is_empty())));
        assert_eq!((claim.from, claim.to, claim.items.len(), carried(claim).len()), (0, 4, 4, 2));
        assert_eq!(world.shard(last).clock().get(origin), 4);
    }
    assert_eq!(live_state(world.shard(last)), live_state(world.shard(source)));
    assert_same_at_rest(&mut world);
}

/// Whoever asks for a range waits for its end, and does not ask again for each part.
#[test]
fn a_range_that_was_asked_for_is_asked_for_once() {
    let (mut world, [source, b, c, d, e, last]) = beside();
    world.connect(source, last);
    let mut asked = Vec::new();
    while world.exchange_until(last, source, |message| matches!(message, ShardMessage::Pull { .. })) {
        if let Some(ShardMessage::Pull { origin, .. }) = world.network.peek(last, source) {
            asked.push(*origin);
        }
        world.deliver(last, source);
    }
    assert_eq!(asked, [b, c, d, e]);
    assert_eq!(live_state(world.shard(last)), live_state(world.shard(source)));
}

#[test]
pub(crate) fn what_went_ahead_on_a_link_that_has_ended_goes_again() {
    let (mut world, [source, .., last]) = beside::<6>();
    world.connect(source, last);
    let first = next_range(&mut world, source, last).expect("what goes ahead");
    assert!(first.is_ahead());
    world.part(source, last);
    world.connect(source, last);
    assert_eq!(next_range(&mut world, source, last), Some(first));
    ranges(&mut world, source, last);
    assert_eq!(live_state(world.shard(last)), live_state(world.shard(source)));
}

#[test]
pub(crate) fn what_is_written_after_its_key_went_ahead_is_in_the_next_range() {
    let (mut world, [source, .., last]) = beside::<6>();
    world.connect(source, last);
    let first = next_range(&mut world, source, last).expect("what goes ahead");
    assert_eq!(first.items[0].key, key(KEYS[0]));
    world.deliver(source, last);
    world.write_all(source, vec![request(KEYS[0], b'n')]).expect("possible");
    put_batch(&mut world, source);
    let all = ranges(&mut world, source, last);
    all.iter().for_each(assert_fits);
    let mut own = all.iter().filter(|range| range.origin == source && !range.is_ahead());
    assert_eq!(own.next().map(|range| (range.from, range.to)), Some((0, 4)));
    assert_eq!(own.next().map(|range| (range.from, range.to, carried(range).len())), Some((4, 9, 4)));
    assert_eq!(live_state(world.shard(last)), live_state(world.shard(source)));
    assert_same_at_rest(&mut world);
}

/// Each claims its batch only when it has all that the range claims: the origin may be gone the moment after.
#[test]
pub(crate) fn a_range_is_claimed_when_all_that_went_ahead_is_here() {
    let (mut world, [source, b, c, d, e, last]) = beside();
    world.connect(source, last);
    while next_range(&mut world, source, last).is_some() {
        world.deliver(source, last);
        let has_all = |origin| {
            live_state(world.shard(last)).values().filter(|dots| dots.iter().any(|dot| dot.replica == origin)).count()
                == 4
        };
        for origin in [source, b, c, d, e] {
            assert!(world.shard(last).clock().get(origin) == 0 || has_all(origin));
        }
    }
}

/// What one holds of a range that never ended is above its clock, and goes as soon as another has the rest.
#[test]
fn a_source_that_crashes_in_the_middle_is_followed_by_another() {
    let (mut world, [source, b, .., last]) = beside::<6>();
    world.connect(source, last);
    assert!(next_range(&mut world, source, last).is_some_and(|range| range.is_ahead()));
    world.deliver(source, last);
    assert_eq!(world.shard(last).clock().get(source), 0);
    assert!(world.shard(last).digest().is_none(), "what is above the clock cannot be compared");
    world.crash(source);
    world.notice(last);
    world.connect(b, last);
    ranges(&mut world, b, last).iter().for_each(assert_fits);
    assert_eq!(live_state(world.shard(last)), live_state(world.shard(b)));
    assert_same_at_rest(&mut world);
}
