//! Invariant: nothing that a peer sends can crash a replica or make it claim what it was not given, whatever the peer is.

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

fn entry() -> impl Strategy<Value = Entry> {
    let version = (origin(), counter(), any::<u64>())
        .prop_map(|(replica, counter, hlc)| Version { hlc: Hlc::from_bits(hlc), ..put(Dot { replica, counter }) });
    (prop::collection::vec(version, 0..3), clock()).prop_map(|(versions, context)| Entry::new(versions, context))
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
        messages in prop::collection::vec((2..=4_u64, message()), 1..12),
    ) {
        let mut shard = replica(live, leaving);
        for (from, message) in messages {
            let before = shard.clock().clone();
            let range = if let ShardMessage::Range(range) = &message { Some((range.origin, range.to)) } else { None };
            let _ = shard.handle(id(from), LinkId(1), message, 1_000);
            prop_assert!(shard.clock().covers_all(&before), "a clock went back");
            if let Some((origin, to)) = range {
                let moved = shard.clock().above(&before);
                prop_assert!(moved.iter().all(|moved| moved == (origin, to)), "more was claimed than the range said");
            }
            prop_assert_eq!(shard.clock().get(id(ME)), u64::from(live), "a peer made this replica's writes");
            for peer in 2..=4 {
                // A transfer that is being served sends four chunks at most before it waits; the rest is a few answers.
                let sent = std::iter::from_fn(|| shard.poll_transmit(id(peer), LinkId(1))).take(100).count();
                prop_assert!(sent < 100, "a message made the replica talk for ever");
            }
        }
        let _ = (shard.coverage(&shard.clock().clone(), baton_replica::Need { acks: 1, level: 1 }), shard.keys_not_covered());
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
