//! Replicas with a past, and all that they would send, written down.

use std::collections::BTreeMap;

use baton_replica::{
    Applied, Chunk, Condition, Entry, Key, Limits, LinkId, MemberPhase, Membership, Range, ReplicaId, Roster, Shard,
    ShardMessage, Value, VersionVector,
};
use bytes::Bytes;
use proptest::prelude::*;

use crate::harness::{key, list};

/// Who is given what the donors send.
pub(super) const RECEIVER: u64 = 9;

const NOW: u64 = 1_700_000_000_000;
const SLOTS: usize = 1_000;

/// What the donors did: writes, and looks at each other in between.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Put { donor: u8, key: u8 },
    Delete { donor: u8, key: u8 },
    Look { at: u8, from: u8 },
}

pub(super) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (donor, key) = (0..3_u8, 0..5_u8);
    let act = prop_oneof![
        6 => (donor.clone(), key.clone()).prop_map(|(donor, key)| Act::Put { donor, key }),
        3 => (donor.clone(), key).prop_map(|(donor, key)| Act::Delete { donor, key }),
        3 => (donor.clone(), donor).prop_map(|(at, from)| Act::Look { at, from }),
    ];
    prop::collection::vec(act, 1..40)
}

pub(super) fn id(number: u64) -> ReplicaId {
    ReplicaId::new(number).expect("not zero")
}

/// Three donors with this past.
pub(super) fn donors(acts: &[Act], batch_bytes: usize) -> Vec<Shard> {
    let mut donors: Vec<Shard> = (1..=3).map(|number| live(id(number), batch_bytes)).collect();
    for act in acts {
        match *act {
            Act::Put { donor, key: number } => {
                let value = Value { content_type: "".into(), body: Bytes::from(format!("by {donor}")) };
                let key = key(&format!("k{number}"));
                donors[usize::from(donor)].put(&key, value, &Condition::Always, NOW).expect("live");
            }
            Act::Delete { donor, key: number } => {
                let key = key(&format!("k{number}"));
                donors[usize::from(donor)].delete(&key, &Condition::Always, NOW).expect("live");
            }
            Act::Look { at, from } if at != from => {
                let ranges = ranges_of(&mut donors[usize::from(from)]);
                give(&mut donors[usize::from(at)], u64::from(from) + 1, &ranges);
            }
            Act::Look { .. } => {}
        }
    }
    donors
}

/// A replica that holds the state and is linked to everybody.
pub(super) fn live(me: ReplicaId, batch_bytes: usize) -> Shard {
    // A member that never comes up keeps the window open.
    let mut roster = Roster::new(me);
    roster.take(&members());
    let mut shard = Shard::new(0, roster, Limits { max_slots: SLOTS, batch_bytes, ..Limits::default() });
    let _ = shard.start_empty();
    for peer in (1..=3).chain([RECEIVER]).map(id).filter(|peer| *peer != me) {
        let _ = shard.link_up(peer, LinkId(1));
    }
    shard
}

fn members() -> Membership {
    let active = (1..=3).chain([RECEIVER]).map(|number| (id(number), MemberPhase::Active));
    list(1, &active.chain([(id(7), MemberPhase::Joining)]).collect::<Vec<_>>())
}

/// A replica that waits for the state of the first donor.
pub(super) fn joiner() -> Shard {
    let mut roster = Roster::new(id(RECEIVER));
    roster.take(&members());
    let mut shard = Shard::new(0, roster, Limits { max_slots: SLOTS, batch_bytes: 1, ..Limits::default() });
    let _ = shard.link_up(id(1), LinkId(1));
    shard
}

/// Everything that a donor has seen, of every origin and from the start.
pub(super) fn ranges_of(donor: &mut Shard) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for (origin, counter) in donor.clock().clone().iter() {
        let mut from = 0;
        while from < counter {
            let answer = ask(donor, ShardMessage::Pull { origin, from });
            let range = answer.into_iter().find_map(|message| match message {
                ShardMessage::Range(range) => Some(range),
                _ => None,
            });
            let range = range.expect("the window reaches back to the start");
            assert_eq!((range.origin, range.from), (origin, from));
            assert!(range.to > from, "the donor does not send what it has");
            from = range.to;
            ranges.push(range);
        }
    }
    ranges
}

/// A whole transfer, chunk by chunk.
pub(super) fn chunks_of(donor: &mut Shard, transfer: u32) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut answer = ask(donor, ShardMessage::Fetch { transfer });
    loop {
        chunks.extend(answer.into_iter().filter_map(|message| match message {
            ShardMessage::Chunk(chunk) => Some(chunk),
            _ => None,
        }));
        let last = chunks.last().expect("a transfer has one chunk at least");
        if last.is_last() {
            return chunks;
        }
        answer = ask(donor, ShardMessage::ChunkSeen { transfer, index: last.index });
    }
}

pub(super) fn give(shard: &mut Shard, from: u64, ranges: &[Range]) {
    for range in ranges {
        tell(shard, from, ShardMessage::Range(range.clone()));
    }
}

pub(super) fn tell(shard: &mut Shard, from: u64, message: ShardMessage) {
    shard.handle(id(from), LinkId(1), message, NOW).expect("it follows the protocol");
}

/// The first donor announces itself and says that its window starts too late.
pub(super) fn fall_behind(shard: &mut Shard) {
    let clock = VersionVector::new();
    let nothing =
        Applied { clock, full: true, answers_range: false, heard_leaving: 0, leaving: 0, founders: Vec::new() };
    tell(shard, 1, ShardMessage::Applied(nothing));
    tell(shard, 1, ShardMessage::Behind { origin: id(1) });
}

/// The transfer that a shard asks the first donor for.
pub(super) fn asked_transfer(shard: &mut Shard) -> Option<u32> {
    std::iter::from_fn(|| shard.poll_transmit(id(1), LinkId(1))).find_map(|message| match message {
        ShardMessage::Fetch { transfer } => Some(transfer),
        _ => None,
    })
}

/// The link to the first donor breaks and comes back.
pub(super) fn reconnect(shard: &mut Shard) {
    let _ = shard.link_down(id(1), LinkId(1));
    let _ = shard.link_up(id(1), LinkId(1));
}

/// Everything that can be told of a shard.
pub(super) fn state(shard: &Shard) -> (VersionVector, BTreeMap<Key, Entry>) {
    (shard.clock().clone(), entries(shard))
}

pub(super) fn entries(shard: &Shard) -> BTreeMap<Key, Entry> {
    shard.entries().collect()
}

fn ask(donor: &mut Shard, question: ShardMessage) -> Vec<ShardMessage> {
    let receiver = id(RECEIVER);
    donor.handle(receiver, LinkId(1), question, NOW).expect("it follows the protocol");
    std::iter::from_fn(|| donor.poll_transmit(receiver, LinkId(1))).collect()
}
