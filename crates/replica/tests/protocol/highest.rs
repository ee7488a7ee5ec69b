//! Counters may go up to where numbers end.

use baton_replica::{
    Chunk, Dot, Entry, Hlc, LinkId, MemberPhase, Packed, Range, RangeItem, ReplicaId, Roster, Shard, ShardMessage,
    Value, Version, VersionVector,
};

use crate::harness::{key, list, tight};

const ME: u64 = 1;
const PEER: u64 = 2;

fn id(number: u64) -> ReplicaId {
    ReplicaId::new(number).expect("not zero")
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
    let chunk = Chunk {
        transfer: transfer.expect("it joins"),
        index: 0,
        clock: VersionVector::from_iter([(id(source), u64::MAX - 1)]),
        listed: vec![id(ME), id(PEER), id(3)],
        founders: vec![id(source)],
        token: 0,
        level: 0,
        keys: 0,
        after: None,
        through: None,
        items: Packed::default(),
    };
    shard.handle(id(source), LinkId(1), ShardMessage::Chunk(chunk), 0).expect("a whole state");
    let dot = Dot { replica: id(source), counter: u64::MAX };
    let version = Version {
        dot,
        hlc: Hlc::default(),
        writer: dot.replica,
        value: Some(Value { content_type: "".into(), body: "v".into() }),
        added: 0,
        owner: None,
        expires_at: None,
    };
    let item =
        RangeItem { key: key("k"), slots: vec![u64::MAX], entry: Entry::new(vec![version], VersionVector::new()) };
    let range = Range {
        origin: id(source),
        from: u64::MAX - 1,
        to: u64::MAX,
        items: vec![item],
        continued: Vec::new(),
        token: 0,
        level: 0,
    };
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
