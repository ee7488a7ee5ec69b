use bytes::Bytes;
use prost::Message;

use super::*;
use crate::directory::{HandoffReport, Hello, MapSettings, Member, Membership, Settings, notice, report};
use crate::peer::frame::Body;
use crate::peer::{Chunk, Publication, Publications, Range, Settle, ShardFrame, VersionVector, shard_frame};

const WIRE: Scale = Scale::WIRE;

fn passes<M: Weighed>(bytes: &[u8]) -> bool {
    WIRE.passes::<M>(bytes)
}

fn frame(body: Body) -> Vec<u8> {
    Frame { membership: 7, body: Some(body) }.encode_to_vec()
}

fn shard(body: shard_frame::Body) -> Vec<u8> {
    frame(Body::Shard(ShardFrame { shard: 3, body: Some(body) }))
}

fn rows(count: usize) -> Membership {
    Membership { members: vec![Member::default(); count], ..Default::default() }
}

#[test]
fn packed_items_may_be_as_large_as_a_frame_and_nothing_else() {
    let large = Bytes::from(vec![0; 4 * WIRE.loose]);
    let range = |items, continued| shard(shard_frame::Body::Range(Range { items, continued, ..Default::default() }));
    assert!(passes::<Frame>(&range(large.clone(), Vec::new())));
    assert!(passes::<Frame>(&shard(shard_frame::Body::Chunk(Chunk { items: large.clone(), ..Default::default() }))));
    assert!(passes::<Frame>(&shard(shard_frame::Body::Settle(Settle { items: large, ..Default::default() }))));
    assert!(!passes::<Frame>(&range(Bytes::new(), vec![0; WIRE.loose])), "a byte that becomes eight");
    let publication = Publication { payload: vec![0; 4 * WIRE.loose].into(), ..Default::default() };
    assert!(passes::<Frame>(&frame(Body::Publications(Publications { publications: vec![publication] }))));
}

/// The number of founders is limited in the replica.
#[test]
fn a_chunk_with_a_clock_a_list_and_founders_at_their_limits_fits() {
    let clock = VersionVector { replicas: vec![u64::MAX; 65_536], counters: vec![u64::MAX; 65_536] };
    let chunk = Chunk {
        clock: Some(clock),
        listed: vec![u64::MAX; 65_536],
        founders: vec![u64::MAX; 4_096],
        ..Default::default()
    };
    assert!(passes::<Frame>(&shard(shard_frame::Body::Chunk(chunk))));
}

#[test]
fn no_part_is_larger_than_what_it_is_counted_as() {
    let sizes = [size_of::<Member>(), size_of::<MapSettings>(), size_of::<String>(), size_of::<Publication>()];
    assert!(sizes.into_iter().all(|size| 3 * size <= PER_PART), "{sizes:?}");
}

#[test]
fn rows_maps_and_survivors_are_counted_wherever_they_are() {
    let maps = |count| Settings { maps: vec![MapSettings::default(); count], ..Default::default() };
    let settings = |count| Membership { settings: Some(maps(count)), ..Default::default() };
    let survivors = |count| HandoffReport { survivors: vec![String::new(); count], ..Default::default() };
    for (count, fit) in [(WIRE.parts, true), (WIRE.parts + 1, false)] {
        for list in [rows(count), settings(count)] {
            assert_eq!(passes::<Frame>(&frame(Body::NewerMembership(list.clone()))), fit);
            assert_eq!(passes::<Notice>(&Notice { body: Some(notice::Body::Membership(list)) }.encode_to_vec()), fit);
        }
        assert_eq!(passes::<Frame>(&frame(Body::Receipt(survivors(count)))), fit);
        let publications = Publications { publications: vec![Publication::default(); count] };
        assert_eq!(passes::<Frame>(&frame(Body::Publications(publications))), fit);
        let hello = report::Body::Hello(Hello { members: rows(count).members, ..Default::default() });
        for body in [hello, report::Body::Handoff(survivors(count))] {
            assert_eq!(passes::<Report>(&Report { body: Some(body) }.encode_to_vec()), fit);
        }
    }
    // Twice the same field is one message to protobuf.
    let half = frame(Body::NewerMembership(rows(WIRE.parts / 2 + 1)));
    assert!(passes::<Frame>(&half) && !passes::<Frame>(&half.repeat(2)));
}

#[test]
fn what_cannot_be_weighed_is_refused() {
    let sound = frame(Body::NewerMembership(rows(WIRE.light)));
    assert!(passes::<Frame>(&sound) && !passes::<Frame>(&sound[..sound.len() - 1]));
    let group = [&[0x7b, 0x7c][..], &sound].concat();
    assert!(!passes::<Frame>(&group), "a group, which could hide what follows");
}
