//! Invariant: nothing that a peer sends can crash a replica or make it claim what it was not given, whatever the peer is.

use std::collections::BTreeSet;

use baton_replica::{
    Answer, Applied, Chunk, ChunkItem, Condition, Dot, Entry, Hlc, Key, LinkId, MemberPhase, Operation, Owner, Packed,
    ProtocolError, Range, RangeItem, Refusal, ReplicaId, Request, Roster, Settle, Shard, ShardMessage, Value, Version,
    VersionVector, WriteError,
};
use bytes::Bytes;
use proptest::prelude::*;

use crate::harness::{World, key, list, roomy, tight};

const ME: u64 = 1;
const PEER: u64 = 2;

/// Milliseconds from one message to the next.
const STEP: u64 = 500;

fn id(number: u64) -> ReplicaId {
    ReplicaId::new(number).expect("not zero")
}

/// Counters at the edges and in between.
fn counter() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..6_u64, 1 => (u64::MAX - 3)..=u64::MAX]
}

fn origin() -> impl Strategy<Value = ReplicaId> {
    (ME..=4).prop_map(id)
}

fn clock() -> impl Strategy<Value = VersionVector> {
    prop::collection::vec((origin(), counter()), 0..4).prop_map(|entries| entries.into_iter().collect())
}

/// What the dot's replica has put.
fn put(dot: Dot) -> Version {
    Version {
        dot,
        hlc: Hlc::default(),
        writer: dot.replica,
        value: Some(Value { content_type: "".into(), body: Bytes::from_static(b"v") }),
        added: 0,
        owner: None,
        expires_at: None,
    }
}

fn settle(origin: ReplicaId, seen: u64, items: Vec<ChunkItem>) -> ShardMessage {
    ShardMessage::Settle(Settle { origin, round: 0, seen, last: true, items, token: 0 })
}

/// When something ends, while the messages come.
fn deadline() -> impl Strategy<Value = Option<u64>> {
    prop::option::of((1..6_u64).prop_map(|step| step * STEP))
}

/// Versions of one replica come often: it has issued them again for others.
fn entry() -> impl Strategy<Value = Entry> {
    let number = Value { content_type: "".into(), body: Bytes::from_static(b"5") };
    let hlc = prop_oneof![(1..9_u64), any::<u64>()];
    let version = (origin(), counter(), hlc, any::<bool>(), deadline()).prop_map(
        move |(replica, counter, hlc, is_number, expires_at)| {
            let plain = put(Dot { replica, counter });
            let value = if is_number { Some(number.clone()) } else { plain.value.clone() };
            Version { hlc: Hlc::from_bits(hlc), value, expires_at, ..plain }
        },
    );
    let versions =
        (prop::collection::vec(version, 0..4), any::<bool>(), origin()).prop_map(|(versions, one, origin)| {
            let renamed = |mut version: Version| {
                version.dot.replica = if one { origin } else { version.dot.replica };
                version
            };
            let mut versions: Vec<Version> = versions.into_iter().map(renamed).collect();
            let mut seen = BTreeSet::new();
            versions.retain(|version| seen.insert(version.dot));
            versions
        });
    let context = prop_oneof![Just(VersionVector::new()), clock()];
    (versions, context).prop_map(|(versions, context)| Entry::new(versions, context))
}

/// Versions of the peer, under counters from 1.
fn entry_of_one() -> impl Strategy<Value = Entry> {
    let token = prop_oneof![Just(7), (u64::MAX - 2)..=u64::MAX];
    let version = (any::<bool>(), prop::option::of(token), deadline(), 1..9_u64);
    prop::collection::vec(version, 1..4).prop_map(|versions| {
        let version = |(counter, (is_number, token, expires_at, hlc)): (u64, (bool, Option<u64>, _, u64))| {
            let dot = Dot { replica: id(PEER), counter };
            let owner = |token| Box::new(Owner { replica: Some(id(PEER)), token, since: dot, dot, confirmed: true });
            let body = Bytes::from_static(if is_number { b"5" } else { b"v" });
            let value = Some(Value { content_type: "".into(), body });
            Version { hlc: Hlc::from_bits(hlc), value, owner: token.map(owner), expires_at, ..put(dot) }
        };
        Entry::new((1..).zip(versions).map(version).collect(), VersionVector::new())
    })
}

/// Two keys, so that some come twice.
fn requests() -> impl Strategy<Value = Vec<Request>> {
    let value = || Value { content_type: "".into(), body: Bytes::from_static(b"7") };
    let operation = prop_oneof![
        deadline().prop_map(move |expires_at| Operation::Put { value: value(), expires_at }),
        deadline().prop_map(move |expires_at| Operation::Init { value: value(), expires_at }),
        Just(Operation::Increment(1)),
        Just(Operation::Delete),
        Just(Operation::Take),
        deadline().prop_map(|expires_at| Operation::Touch { expires_at }),
        Just(Operation::Claim),
        Just(Operation::Confirm),
        Just(Operation::Release),
    ];
    let request = (0..2_u8, operation).prop_map(|(number, operation)| Request {
        key: key(&format!("k{number}")),
        condition: Condition::Always,
        operation,
    });
    prop::collection::vec(request, 0..4)
}

fn range_of(origin: ReplicaId, from: u64, to: u64, items: Vec<RangeItem>) -> Range {
    Range { origin, from, to, items, continued: Vec::new(), token: 0, level: 0 }
}

/// A state without keys, in the only chunk of its transfer.
fn whole(transfer: u32, clock: VersionVector, founders: Vec<ReplicaId>) -> ShardMessage {
    let mut listed: Vec<ReplicaId> = clock.iter().map(|(origin, _)| origin).collect();
    listed.sort_unstable();
    ShardMessage::Chunk(Chunk {
        transfer,
        index: 0,
        clock,
        listed,
        founders,
        token: 0,
        level: 0,
        keys: 0,
        after: None,
        through: None,
        items: Packed::default(),
    })
}

fn some_key() -> impl Strategy<Value = Key> {
    (0..4_u8).prop_map(|number| key(&format!("k{number}")))
}

fn message() -> impl Strategy<Value = ShardMessage> {
    let slots = prop::collection::vec(counter(), 0..4);
    let item = (some_key(), slots, entry()).prop_map(|(key, slots, entry)| RangeItem { key, slots, entry });
    let range = (origin(), counter(), counter(), prop::collection::vec(item, 0..4))
        .prop_map(|(origin, from, to, items)| ShardMessage::Range(range_of(origin, from, to, items)));
    // Well-formed ranges come often, or nothing else would ever be claimed.
    let whole =
        (origin(), counter(), prop::collection::vec((some_key(), entry()), 0..4)).prop_map(|(origin, from, items)| {
            let slots = (1..).map(|step| from.saturating_add(step));
            let items =
                items.into_iter().zip(slots).map(|((key, entry), slot)| RangeItem { key, slots: vec![slot], entry });
            let items: Vec<RangeItem> = items.collect();
            ShardMessage::Range(range_of(origin, from, from.saturating_add(items.len() as u64), items))
        });
    let bound = || prop::option::of(some_key());
    let items = prop::collection::vec((some_key(), entry()), 0..4);
    let chunk = (0..3_u32, 0..3_u32, clock(), bound(), bound(), items).prop_map(
        |(transfer, index, clock, after, through, items)| {
            let items = items.into_iter().map(|(key, entry)| ChunkItem { key, entry }).collect();
            ShardMessage::Chunk(Chunk {
                transfer,
                index,
                clock,
                listed: vec![id(ME)],
                founders: Vec::new(),
                token: 0,
                level: 0,
                keys: 0,
                after,
                through,
                items,
            })
        },
    );
    let applied = (clock(), any::<[bool; 2]>(), any::<[u64; 2]>()).prop_map(
        |(clock, [full, answers_range], [heard_leaving, leaving])| {
            ShardMessage::Applied(Applied { clock, full, answers_range, heard_leaving, leaving, founders: Vec::new() })
        },
    );
    prop_oneof![
        2 => range,
        4 => whole,
        3 => chunk,
        4 => applied,
        2 => (origin(), counter()).prop_map(|(origin, from)| ShardMessage::Pull { origin, from }),
        2 => origin().prop_map(|origin| ShardMessage::Behind { origin }),
        1 => any::<u32>().prop_map(|transfer| ShardMessage::Fetch { transfer }),
        1 => (any::<u32>(), any::<u32>()).prop_map(|(transfer, index)| ShardMessage::ChunkSeen { transfer, index }),
    ]
}

/// A replica with three peers that are up, which has the state or waits for it, and may be leaving.
fn replica(live: bool, leaving: bool) -> Shard {
    let mut roster = Roster::new(id(ME));
    roster.take(&list(1, &[2, 3, 4].map(|peer| (id(peer), MemberPhase::Active))));
    if leaving {
        roster.leave();
    }
    let mut shard = Shard::new(0, roster, tight(4));
    if live {
        let _ = shard.start_empty();
        let value = Value { content_type: "".into(), body: Bytes::from_static(b"mine") };
        shard.put(&key("k0"), value, &Condition::Always, 0).expect("live");
    }
    for peer in 2..=4 {
        let _ = shard.link_up(id(peer), LinkId(1));
    }
    shard
}

proptest! {
    #![proptest_config(crate::harness::config(768))]

    #[test]
    fn no_message_crashes_a_replica(
        live in any::<bool>(),
        leaving in any::<bool>(),
        messages in prop::collection::vec((2..=4_u64, message(), requests()), 1..12),
    ) {
        let mut shard = replica(live, leaving);
        let mut written = u64::from(live);
        for (step, (from, message, requests)) in (1..).zip(messages) {
            let now = step * STEP;
            let before = shard.clock().clone();
            let range = if let ShardMessage::Range(range) = &message { Some((range.origin, range.to)) } else { None };
            let _ = shard.handle(id(from), LinkId(1), message, now);
            prop_assert!(shard.clock().covers_all(&before), "a clock went back");
            if let Some((origin, to)) = range {
                let moved = shard.clock().above(&before);
                prop_assert!(moved.iter().all(|moved| moved == (origin, to)), "more was claimed than the range said");
            }
            prop_assert_eq!(shard.clock().get(id(ME)), written, "a peer made this replica's writes");
            let _ = shard.write(requests, now);
            written = shard.clock().get(id(ME));
            for peer in 2..=4 {
                // A transfer that is being served sends four chunks at most before it waits; the rest is a few answers.
                let sent = std::iter::from_fn(|| shard.poll_transmit(id(peer), LinkId(1))).take(100).count();
                prop_assert!(sent < 100, "a message made the replica talk for ever");
            }
        }
        let _ = (shard.coverage(&shard.clock().clone(), baton_replica::Need { acks: 1, level: 1 }), shard.keys_not_covered());
    }

    #[test]
    fn no_write_upon_what_a_peer_has_sent_crashes_a_replica(
        entry in entry_of_one(),
        batches in prop::collection::vec(requests(), 1..6),
    ) {
        let mut shard = replica(true, false);
        shard.handle(id(PEER), LinkId(1), range_of_one(entry, "k1"), 0).expect("a sound range");
        for (step, requests) in (1..).zip(batches) {
            let _ = shard.write(requests, step * STEP);
        }
    }
}

/// chitchat#144: numbers at the end of their range overflowed in arithmetic that trusted the peer.
#[test]
fn the_greatest_counters_are_refused_or_answered_with_nothing() {
    let mut shard = replica(true, false);
    let pull = ShardMessage::Pull { origin: id(ME), from: u64::MAX };
    shard.handle(id(PEER), LinkId(1), pull, 0).expect("a question");
    while shard.poll_transmit(id(PEER), LinkId(1)).is_some() {}
    for (from, to) in [(u64::MAX, u64::MAX), (u64::MAX - 1, u64::MAX), (u64::MAX, 0)] {
        let slots = if from < to { vec![to] } else { Vec::new() };
        let item = RangeItem { key: key("k"), slots, entry: Entry::default() };
        let range = range_of(id(3), from, to, vec![item]);
        let _ = shard.handle(id(PEER), LinkId(1), ShardMessage::Range(range), 0);
        assert_eq!(shard.clock().get(id(3)), 0);
    }
}

/// A range that carries less than it claims is the loss itself: it must not be joined by halves either.
#[test]
fn a_torn_range_has_no_effect() {
    let carried = |slots: &[&[u64]]| {
        let items = slots.iter().enumerate();
        let items = items.map(|(at, slots)| RangeItem {
            key: key(&format!("k{at}")),
            slots: slots.to_vec(),
            entry: Entry::new(Vec::new(), VersionVector::from_iter([(id(3), 1)])),
        });
        items.collect::<Vec<_>>()
    };
    let torn: [(u64, &[&[u64]]); 5] = [(2, &[&[1]]), (2, &[&[1], &[1]]), (2, &[&[1], &[3]]), (2, &[&[0, 1]]), (1, &[])];
    for (to, slots) in torn {
        let mut shard = replica(true, false);
        let range = range_of(id(3), 0, to, carried(slots));
        let refused = shard.handle(id(PEER), LinkId(1), ShardMessage::Range(range), 0);
        assert!(matches!(refused, Err(ProtocolError::TornRange { .. })), "{slots:?} up to {to}");
        assert_eq!((shard.remembered_keys(), shard.clock().get(id(3))), (1, 0));
    }
}

/// riak_kv#679: a replica that lost its memory reused its counters, and its new writes were taken for old ones.
#[test]
fn writes_of_this_replica_that_it_has_not_made_are_refused() {
    let future = VersionVector::from_iter([(id(ME), 2)]);
    let applied =
        Applied { clock: future, full: true, answers_range: false, heard_leaving: 0, leaving: 0, founders: Vec::new() };
    let refused = replica(true, false).handle(id(PEER), LinkId(1), ShardMessage::Applied(applied), 0);
    assert_eq!(refused, Err(ProtocolError::FutureOfMine { claimed: 2, made: 1 }));
}

/// Taken in, they would have made every member take the real ones for these: acknowledged, and nowhere.
#[test]
fn entries_with_writes_of_this_replica_that_it_has_not_made_are_refused() {
    let invented = Dot { replica: id(ME), counter: 2 };
    let owner = Owner { replica: Some(id(PEER)), token: 7, since: invented, dot: invented, confirmed: true };
    let entries = [
        Entry::new(vec![put(invented)], VersionVector::new()),
        Entry::new(Vec::new(), VersionVector::from_iter([(id(ME), 2)])),
        Entry::new(
            vec![Version { owner: Some(Box::new(owner)), ..put(Dot { replica: id(PEER), counter: 1 }) }],
            VersionVector::new(),
        ),
    ];
    for entry in entries {
        let items = vec![ChunkItem { key: key("k"), entry: entry.clone() }];
        let range = range_of(id(PEER), 0, 1, vec![RangeItem { key: key("k"), slots: vec![1], entry }]);
        for message in [ShardMessage::Range(range), settle(id(PEER), 0, items)] {
            let mut shard = replica(true, false);
            let refused = shard.handle(id(PEER), LinkId(1), message, 0);
            assert_eq!(refused, Err(ProtocolError::FutureOfMine { claimed: 2, made: 1 }));
            assert_eq!((shard.remembered_keys(), shard.clock().get(id(PEER))), (1, 0), "nothing was taken in");
        }
    }
}

/// What a peer says of members that are gone raises what it has acknowledged too.
#[test]
fn no_settle_message_acknowledges_what_was_not_written() {
    let mut shard = replica(true, false);
    let refused = shard.handle(id(PEER), LinkId(1), settle(id(ME), u64::MAX, Vec::new()), 0);
    assert_eq!(refused, Err(ProtocolError::FutureOfMine { claimed: u64::MAX, made: 1 }));
    assert_eq!(shard.acknowledgements(Dot { replica: id(ME), counter: 1 }), 0);
}

fn claim(shard: &mut Shard, name: &str) -> Result<u64, WriteError> {
    let done = shard.write_one(&key(name), &Condition::Always, Operation::Claim, 1_000)?;
    let Answer::Token(token) = done.answer else { panic!("{done:?}") };
    Ok(token.number)
}

/// The highest token travels with every message and only grows: one at the end of its range would have been the last that
/// any member of the group could ever give.
#[test]
fn a_token_that_a_peer_has_made_up_leaves_greater_ones_for_all_keys() {
    let mut shard = replica(true, false);
    let before = claim(&mut shard, "k0").expect("it has a value");
    let dot = Dot { replica: id(PEER), counter: 1 };
    let owner = Owner { replica: Some(id(PEER)), token: u64::MAX, since: dot, dot, confirmed: true };
    let entry = Entry::new(vec![Version { owner: Some(Box::new(owner)), ..put(dot) }], VersionVector::new());
    let items = vec![RangeItem { key: key("k1"), slots: vec![1], entry }];
    let range = Range { token: u64::MAX, ..range_of(id(PEER), 0, 1, items) };
    shard.handle(id(PEER), LinkId(1), ShardMessage::Range(range), 0).expect("a sound range");
    let after = claim(&mut shard, "k0").expect("it has a value");
    assert!(after > before && after < 1 << 62, "{before} {after}");
    assert!(claim(&mut shard, "k0").expect("it has a value") > after);

    // The key that bears it can be had again by a delete only.
    assert_eq!(claim(&mut shard, "k1"), Err(WriteError::Refused(Refusal::NoToken)));
    shard.delete(&key("k1"), &Condition::Always, 1_000).expect("live");
    let value = Value { content_type: "".into(), body: Bytes::from_static(b"v") };
    shard.put(&key("k1"), value, &Condition::Always, 1_000).expect("live");
    assert!(claim(&mut shard, "k1").is_ok());
}

/// Two claims of a batch, of which the first takes the last token, are refused together.
#[test]
fn a_batch_finds_out_before_it_is_made_that_tokens_have_ended() {
    let mut shard = replica(true, false);
    let dot = Dot { replica: id(PEER), counter: 1 };
    let owner = Owner { replica: Some(id(PEER)), token: u64::MAX - 1, since: dot, dot, confirmed: true };
    let entry = Entry::new(vec![Version { owner: Some(Box::new(owner)), ..put(dot) }], VersionVector::new());
    let range = range_of(id(PEER), 0, 1, vec![RangeItem { key: key("k1"), slots: vec![1], entry }]);
    shard.handle(id(PEER), LinkId(1), ShardMessage::Range(range), 0).expect("a sound range");
    let again = Request { key: key("k1"), condition: Condition::Always, operation: Operation::Claim };
    let rejected = shard.write(vec![again.clone(), again], 1_000).expect_err("there is one token left");
    assert_eq!((rejected.at, rejected.error), (1, WriteError::Refused(Refusal::NoToken)));
    assert_eq!(claim(&mut shard, "k1"), Ok(u64::MAX));
    assert!(claim(&mut shard, "k0").is_ok_and(|token| token < 1 << 62), "of other keys it says nothing");
}

/// A replica may have several versions of a key, which it issued again for others. One that has expired and whose dot would
/// cover a living one was due for ever, and whoever drops what is due never came to an end.
#[test]
fn a_version_that_cannot_be_dropped_yet_is_not_due() {
    let version = |counter, expires_at| Version { expires_at, ..put(Dot { replica: id(PEER), counter }) };
    let entries = [
        vec![version(1, None), version(2, Some(10))],
        vec![version(3, Some(5_000)), version(4, Some(10))],
        vec![version(5, Some(20)), version(6, Some(10))],
    ];
    let item = |(at, versions): (u64, _)| RangeItem {
        key: key(&format!("e{at}")),
        slots: vec![2 * at + 1, 2 * at + 2],
        entry: Entry::new(versions, VersionVector::new()),
    };
    let range = range_of(id(PEER), 0, 6, (0..).zip(entries).map(item).collect());
    let mut shard = replica(true, false);
    shard.handle(id(PEER), LinkId(1), ShardMessage::Range(range), 1).expect("a sound range");
    let versions =
        |shard: &Shard, name| shard.get(&key(name), 0).expect("live").map_or(0, |read| read.versions().len());
    assert_eq!(shard.next_deadline(), Some(20));
    assert!(!shard.expire(1_000, 1), "nothing else is due");
    assert_eq!(["e0", "e1", "e2"].map(|name| versions(&shard, name)), [2, 2, 0]);
    assert_eq!(shard.next_deadline(), Some(5_000));
    assert!(!shard.expire(5_000, 1));
    assert_eq!(["e0", "e1"].map(|name| versions(&shard, name)), [2, 0]);
    assert_eq!(shard.next_deadline(), None);
}

/// A range of one key with versions of the peer, under counters from 1.
fn range_of_one(entry: Entry, name: &str) -> ShardMessage {
    let slots: Vec<u64> = (1..=entry.versions().len() as u64).collect();
    let to = slots.len() as u64;
    ShardMessage::Range(range_of(id(PEER), 0, to, vec![RangeItem { key: key(name), slots, entry }]))
}

/// A number that lives, and beside it a text that has expired and cannot be dropped as long as the number lives: it would
/// take that along. The owner is that of the text.
fn number_beside_expired_text(owner: Option<Owner>) -> Shard {
    let version = |counter, body: &'static str, expires_at| Version {
        hlc: Hlc::from_bits(counter),
        value: Some(Value { content_type: "".into(), body: Bytes::from_static(body.as_bytes()) }),
        expires_at,
        ..put(Dot { replica: id(PEER), counter })
    };
    let text = Version { owner: owner.map(Box::new), ..version(2, "abc", Some(100)) };
    let mut shard = replica(true, false);
    let range = range_of_one(Entry::new(vec![version(1, "5", None), text], VersionVector::new()), "k");
    shard.handle(id(PEER), LinkId(1), range, 1).expect("a sound range");
    shard
}

/// The batch was tried out on what lives, and made on what was stored: what could be added to the one could not be added
/// to the other, and the agent ended.
#[test]
fn what_has_expired_and_cannot_be_dropped_yet_is_no_part_of_a_write() {
    let increment = || Request { key: key("k"), condition: Condition::Always, operation: Operation::Increment(1) };
    let later = |shard: &Shard| shard.get(&key("k"), 1_000_000).expect("live").map(|read| read.value.body);

    let mut shard = number_beside_expired_text(None);
    let done = shard.write(vec![increment()], 1_000).expect("a number");
    assert_eq!(done[0].answer, Answer::Count(6));
    assert_eq!(later(&shard).as_deref(), Some(&b"6"[..]), "what was added does not end with the text");

    let mut shard = number_beside_expired_text(None);
    let done = shard.write_one(&key("k"), &Condition::Always, Operation::Increment(1), 1_000).expect("a number");
    assert_eq!(done.answer, Answer::Count(6));
    let done = shard.write(vec![increment(), increment()], 2_000).expect("a number");
    assert_eq!(done[1].answer, Answer::Count(8));
    shard.delete(&key("k"), &Condition::Always, 3_000).expect("live");
    let left = shard.entries().find(|(name, _)| *name == key("k"));
    assert!(left.is_none_or(|(_, entry)| entry.versions().is_empty()), "the delete has ended the text too");
}

/// The same with the last fencing token, which the expired text's owner bears.
#[test]
fn an_ownership_that_has_expired_neither_goes_on_with_a_put_nor_ends_a_batch() {
    let dot = Dot { replica: id(PEER), counter: 2 };
    let value = || Value { content_type: "".into(), body: Bytes::from_static(b"v") };
    for token in [7, u64::MAX - 1, u64::MAX] {
        let owner = Owner { replica: Some(id(PEER)), token, since: dot, dot, confirmed: true };
        let request = |operation| Request { key: key("k"), condition: Condition::Always, operation };
        let put = || request(Operation::Put { value: value(), expires_at: None });
        let mut shard = number_beside_expired_text(Some(owner));
        let done = shard.write(vec![put(), request(Operation::Claim), request(Operation::Claim)], 1_000);
        assert!(done.is_ok(), "{done:?}");
        let mut shard = number_beside_expired_text(Some(owner));
        let _ = shard.write(vec![request(Operation::Claim), request(Operation::Claim)], 1_000);
        let mut shard = number_beside_expired_text(Some(owner));
        shard.put(&key("k"), value(), &Condition::Always, 1_000).expect("live");
        assert_eq!(shard.get(&key("k"), 1_000).expect("live").expect("there").owner, None);
    }
}

/// Founders are kept for ever, and said in every chunk.
#[test]
fn a_state_of_more_founders_than_there_can_be_is_refused() {
    let mut shard = replica(false, false);
    let fetch = |shard: &mut Shard| std::iter::from_fn(|| shard.poll_transmit(id(PEER), LinkId(1))).next();
    let Some(ShardMessage::Fetch { transfer }) = fetch(&mut shard) else { panic!("it joins") };
    let chunk = |founders: u64| whole(transfer, VersionVector::new(), (1..=founders).map(id).collect());
    let refused = shard.handle(id(PEER), LinkId(1), chunk(4_097), 0);
    assert_eq!(refused, Err(ProtocolError::TooManyFounders(id(PEER))));
    assert!(shard.founders().is_empty());
    shard.handle(id(PEER), LinkId(1), chunk(4_096), 0).expect("as many as there can be");
    assert_eq!(shard.founders().len(), 4_096);
}

/// A peer's own writes may end where counters do.
#[test]
fn the_slot_of_the_highest_counter_is_sent_on() {
    let mut roster = Roster::new(id(ME));
    roster.take(&list(
        1,
        &[(id(ME), MemberPhase::Active), (id(PEER), MemberPhase::Active), (id(3), MemberPhase::Active)],
    ));
    let mut shard = Shard::new(0, roster, tight(100));
    for peer in [PEER, 3] {
        let _ = shard.link_up(id(peer), LinkId(1));
    }
    let mut transfer = None;
    let mut source = PEER;
    for peer in [PEER, 3] {
        while let Some(message) = shard.poll_transmit(id(peer), LinkId(1)) {
            if let ShardMessage::Fetch { transfer: number } = message {
                (transfer, source) = (Some(number), peer);
            }
        }
    }
    let clock = VersionVector::from_iter([(id(source), u64::MAX - 1)]);
    let state = whole(transfer.expect("it joins"), clock, vec![id(source)]);
    shard.handle(id(source), LinkId(1), state, 0).expect("a whole state");
    let dot = Dot { replica: id(source), counter: u64::MAX };
    let item =
        RangeItem { key: key("k"), slots: vec![u64::MAX], entry: Entry::new(vec![put(dot)], VersionVector::new()) };
    let range = range_of(id(source), u64::MAX - 1, u64::MAX, vec![item]);
    shard.handle(id(source), LinkId(1), ShardMessage::Range(range), 0).expect("a sound range");
    assert_eq!(shard.clock().get(id(source)), u64::MAX);
    let other = if source == PEER { 3 } else { PEER };
    let pull = ShardMessage::Pull { origin: id(source), from: u64::MAX - 1 };
    shard.handle(id(other), LinkId(1), pull, 0).expect("a question");
    let mut sent = 0;
    while let Some(message) = shard.poll_transmit(id(other), LinkId(1)) {
        sent += usize::from(matches!(message, ShardMessage::Range(_)));
    }
    assert_eq!(sent, 1);
}

/// What was on its way on an earlier link was applied after a newer one was up.
#[test]
fn a_message_of_an_earlier_link_is_refused() {
    let (mut world, [a, b]) = World::group(roomy());
    let earlier = world.network.link(a, b).expect("up");
    world.part(a, b);
    world.connect(a, b);
    world.exchange(a, b);
    let pull = ShardMessage::Pull { origin: a, from: 0 };
    assert_eq!(world.node(b).shard.handle(a, earlier, pull, 0), Err(ProtocolError::NotLinked(a)));
    assert_eq!(world.node(b).shard.poll_transmit(a, earlier), None);
    let _ = world.node(b).shard.link_down(a, earlier);
    world.put(a, &key("k"));
    world.exchange(a, b);
    assert_eq!(world.names(b), ["k"], "the end of an earlier link ends nothing");
}
