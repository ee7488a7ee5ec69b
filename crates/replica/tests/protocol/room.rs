//! A shard that is full refuses what would make it larger, and says so; what is deleted makes room again.

use baton_replica::{
    Applied, ChunkItem, Condition, Entry, Limits, LinkId, MemberPhase, Operation, ProtocolError, Range, RangeItem,
    Refusal, Rejected, ReplicaId, Request, Roster, Settle, Shard, ShardMessage, Value, VersionVector, WriteError,
};
use bytes::Bytes;

use crate::harness::{key, list, tight};

const PEER: u64 = 2;

fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

fn shard(max_bytes: u64, peers: &[u64]) -> Shard {
    let mut roster = Roster::new(id(1));
    let peers: Vec<(ReplicaId, MemberPhase)> = peers.iter().map(|peer| (id(*peer), MemberPhase::Active)).collect();
    roster.take(&list(1, &peers));
    let mut shard = Shard::new(0, roster, Limits { max_bytes, ..tight(64) });
    assert!(shard.start_empty().bootstrapped);
    for (peer, _) in peers {
        let _ = shard.link_up(peer, LinkId(1));
    }
    shard
}

fn put(shard: &mut Shard, number: u64) -> Result<(), WriteError> {
    let value = Value { content_type: "".into(), body: Bytes::from(vec![b'v'; 1_000]) };
    shard.put(&key(&format!("k{number}")), value, &Condition::Always, 0).map(drop)
}

#[test]
fn a_full_shard_is_read_and_takes_deletes_which_make_room() {
    let mut shard = shard(2 << 20, &[]);
    let count = (0..).find(|number| put(&mut shard, *number) == Err(Refusal::Full.into())).expect("bounded");
    assert!((1_500..2_500).contains(&count), "{count} keys");
    assert!(shard.get(&key("k7"), 0).expect("live").is_some());
    for number in 0..count / 2 {
        assert!(shard.delete(&key(&format!("k{number}")), &Condition::Always, 0).expect("taken").is_some());
    }
    for number in 0..count / 4 {
        put(&mut shard, number).expect("there is room");
    }
}

#[test]
fn what_there_was_room_for_is_written_batch_after_batch_and_what_cannot_be_done_is_known_before() {
    let mut shard = shard(2 << 20, &[]);
    let request = |name: &str, operation| Request { key: key(name), condition: Condition::Always, operation };
    let filled = |name: &str| {
        let value = Value { content_type: "".into(), body: Bytes::from(vec![b'v'; 512 << 10]) };
        request(name, Operation::Put { value, expires_at: None })
    };
    (0..).find(|number| put(&mut shard, *number).is_err()).expect("bounded");
    assert_eq!(shard.room(), 0);
    let touch = |name: &str| request(name, Operation::Touch { expires_at: Some(1) });
    assert_eq!(shard.can_write(&[touch("k1"), touch("k2")], 0), Ok(()));
    let refused = shard.can_write(&[touch("k1"), request("k2", Operation::Increment(1))], 0);
    assert_eq!(refused, Err(Rejected { at: 1, error: Refusal::NotAnInteger.into() }));
    assert!(shard.write(vec![filled("a")], 0).is_err());
    assert_eq!(shard.write_more(vec![filled("a")], 0).expect("it goes on").len(), 1);
    shard.seal();
    assert_eq!(shard.can_write(&[], 0).map_err(|rejected| rejected.error), Err(WriteError::Sealed));
    assert_eq!(shard.write_more(vec![filled("b")], 0).map_err(|rejected| rejected.error), Err(WriteError::Sealed));
}

#[test]
fn a_full_shard_claims_nothing_of_what_a_peer_sends() {
    let mut shard = shard(0, &[PEER]);
    let item = RangeItem { key: key("k"), slots: vec![1], entry: Entry::default() };
    let range =
        Range { origin: id(PEER), from: 0, to: 1, items: vec![item], continued: Vec::new(), token: 0, level: 0 };
    let refused = shard.handle(id(PEER), LinkId(1), ShardMessage::Range(range), 0);
    assert_eq!(refused, Err(ProtocolError::Full(0)));
    assert_eq!(shard.clock().get(id(PEER)), 0);
    let clock = VersionVector::new();
    let applied =
        Applied { clock, full: true, answers_range: false, heard_leaving: 0, leaving: 0, founders: Vec::new() };
    assert!(shard.handle(id(PEER), LinkId(1), ShardMessage::Applied(applied), 0).is_ok());
}

/// What nobody else holds of a member that is gone comes in a message of its own kind.
#[test]
fn a_full_shard_takes_nothing_that_a_peer_holds_of_who_is_gone() {
    let mut shard = shard(0, &[PEER]);
    let said =
        |items| ShardMessage::Settle(Settle { origin: id(PEER), round: 0, seen: 0, last: true, items, token: 0 });
    let item = ChunkItem { key: key("k"), entry: Entry::default() };
    assert_eq!(shard.handle(id(PEER), LinkId(1), said(vec![item]), 0), Err(ProtocolError::Full(0)));
    assert!(shard.handle(id(PEER), LinkId(1), said(Vec::new()), 0).is_ok(), "nothing to take");
}
