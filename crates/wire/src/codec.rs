//! Messages are weighed before they are taken apart.
//!
//! Two bytes can be a row of a list that takes two hundred in memory: a frame at its limit would become gigabytes before
//! anybody could look at it. Only packed items may be large, and those are bytes until they are unpacked.

use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

use crate::directory::{Notice, Report};
use crate::identity::{IssueRequest, IssueResponse};
use crate::peer::{Frame, IdentifyRequest, Identity};

/// What is as small as this cannot hurt.
const LIGHT: usize = 64 * 1024;

/// The most of a message that is not packed items: a clock, the ids of a list and founders at their limits, or the list of
/// as many members as one object of Kubernetes can hold.
const MAX_LOOSE: usize = 2 * 1024 * 1024;

/// Most messages and texts within one: rows, settings of maps, survivors.
const MAX_PARTS: usize = 65_536;

/// As [`ProstCodec`], for messages that are weighed.
pub(crate) struct WeighingCodec<T, U>(PhantomData<(T, U)>);

pub(crate) struct WeighingDecoder<U>(ProstDecoder<U>);

/// A message from the network.
pub(crate) trait Weighed {
    /// What there is in an encoded one; `None` if it is malformed. Most have nothing that decoding makes more of.
    fn weigh(_: &[u8]) -> Option<Weight> {
        Some(Weight::default())
    }
}

/// What decoding costs beside the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    packed: usize,
    parts: usize,
}

/// Whether an encoded message may be decoded.
fn fits<M: Weighed>(bytes: &[u8]) -> bool {
    let is_fit = |weight: Weight| bytes.len() - weight.packed <= MAX_LOOSE && weight.parts <= MAX_PARTS;
    bytes.len() <= LIGHT || M::weigh(bytes).is_some_and(is_fit)
}

impl Weighed for Frame {
    fn weigh(bytes: &[u8]) -> Option<Weight> {
        sum(bytes, |number, content| match number {
            3 => list(content),
            6 => sum(content, |number, content| match number {
                3 => packed(content, 4),
                7 => packed(content, 6),
                9 => packed(content, 5),
                _ => Some(Weight::default()),
            }),
            7 => receipt(content),
            _ => Some(Weight::default()),
        })
    }
}

impl Weighed for Notice {
    fn weigh(bytes: &[u8]) -> Option<Weight> {
        sum(bytes, |number, content| if number == 1 { list(content) } else { Some(Weight::default()) })
    }
}

impl Weighed for Report {
    fn weigh(bytes: &[u8]) -> Option<Weight> {
        sum(bytes, |number, content| match number {
            1 => sum(content, |number, _| Some(part(number == 11))),
            4 => receipt(content),
            _ => Some(Weight::default()),
        })
    }
}

impl Weighed for Identity {}
impl Weighed for IdentifyRequest {}
impl Weighed for IssueRequest {}
impl Weighed for IssueResponse {}

/// A membership: its rows, and its settings of maps.
fn list(bytes: &[u8]) -> Option<Weight> {
    sum(bytes, |number, content| match number {
        2 => Some(part(true)),
        4 => sum(content, |number, _| Some(part(number == 5))),
        _ => Some(Weight::default()),
    })
}

/// A receipt: its survivors.
fn receipt(bytes: &[u8]) -> Option<Weight> {
    sum(bytes, |number, _| Some(part(number == 9)))
}

/// A message of a shard with packed items.
fn packed(bytes: &[u8], items: u32) -> Option<Weight> {
    let of_items = |content: &[u8]| Weight { packed: content.len(), parts: 0 };
    sum(bytes, |number, content| Some(if number == items { of_items(content) } else { Weight::default() }))
}

const fn part(counts: bool) -> Weight {
    Weight { packed: 0, parts: counts as usize }
}

/// The weights of a message's fields: of their numbers and, if they have any, their bytes.
fn sum(mut rest: &[u8], weigh: impl Fn(u32, &[u8]) -> Option<Weight>) -> Option<Weight> {
    let mut all = Weight::default();
    while !rest.is_empty() {
        let (number, kind) = decode_key(&mut rest).ok()?;
        let length = match kind {
            WireType::Varint => decode_varint(&mut rest).map(|_| 0).ok()?,
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => usize::try_from(decode_varint(&mut rest).ok()?).ok()?,
            // No release has any.
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        rest = after;
        let weight = weigh(number, if kind == WireType::LengthDelimited { content } else { &[] })?;
        all = Weight { packed: all.packed + weight.packed, parts: all.parts + weight.parts };
    }
    Some(all)
}

// === impl WeighingCodec ===

impl<T, U> Default for WeighingCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for WeighingCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Weighed + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = WeighingDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        WeighingDecoder(ProstCodec::<T, U>::default().decoder())
    }
}

// === impl WeighingDecoder ===

impl<U: Message + Default + Weighed> Decoder for WeighingDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        if !fits::<U>(bytes.chunk()) {
            return Err(Status::resource_exhausted("a message of more parts than any has"));
        }
        self.0.decode(bytes)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::directory::{HandoffReport, Hello, MapSettings, Member, Membership, Settings, notice, report};
    use crate::peer::frame::Body;
    use crate::peer::{Applied, Chunk, Range, Settle, ShardFrame, VersionVector, shard_frame};

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
        let large = Bytes::from(vec![0; 4 * MAX_LOOSE]);
        let range = |items, closed| shard(shard_frame::Body::Range(Range { items, closed, ..Default::default() }));
        assert!(fits::<Frame>(&range(large.clone(), Vec::new())));
        assert!(fits::<Frame>(&shard(shard_frame::Body::Chunk(Chunk { items: large.clone(), ..Default::default() }))));
        assert!(fits::<Frame>(&shard(shard_frame::Body::Settle(Settle { items: large, ..Default::default() }))));
        assert!(!fits::<Frame>(&range(Bytes::new(), vec![0; MAX_LOOSE])), "a byte that becomes eight");
    }

    #[test]
    fn a_clock_at_its_limit_fits() {
        let clock = VersionVector { replicas: vec![u64::MAX; 65_536], counters: vec![u64::MAX; 65_536] };
        assert!(fits::<Frame>(&shard(shard_frame::Body::Applied(Applied {
            clock: Some(clock),
            ..Default::default()
        }))));
    }

    #[test]
    fn rows_maps_and_survivors_are_counted_wherever_they_are() {
        let maps = |count| Settings { maps: vec![MapSettings::default(); count], ..Default::default() };
        let settings = |count| Membership { settings: Some(maps(count)), ..Default::default() };
        let survivors = |count| HandoffReport { survivors: vec![String::new(); count], ..Default::default() };
        for (count, fit) in [(MAX_PARTS, true), (MAX_PARTS + 1, false)] {
            for list in [rows(count), settings(count)] {
                assert_eq!(fits::<Frame>(&frame(Body::NewerMembership(list.clone()))), fit);
                assert_eq!(fits::<Notice>(&Notice { body: Some(notice::Body::Membership(list)) }.encode_to_vec()), fit);
            }
            assert_eq!(fits::<Frame>(&frame(Body::Receipt(survivors(count)))), fit);
            let hello = report::Body::Hello(Hello { members: rows(count).members, ..Default::default() });
            for body in [hello, report::Body::Handoff(survivors(count))] {
                assert_eq!(fits::<Report>(&Report { body: Some(body) }.encode_to_vec()), fit);
            }
        }
        // Twice the same field is one message to protobuf.
        let half = frame(Body::NewerMembership(rows(MAX_PARTS / 2 + 1)));
        assert!(fits::<Frame>(&half) && !fits::<Frame>(&half.repeat(2)));
    }

    #[test]
    fn what_cannot_be_weighed_is_refused() {
        let sound = frame(Body::NewerMembership(rows(LIGHT)));
        assert!(fits::<Frame>(&sound) && !fits::<Frame>(&sound[..sound.len() - 1]));
        let group = [&[0x7b, 0x7c][..], &sound].concat();
        assert!(!fits::<Frame>(&group), "a group, which could hide what follows");
    }
}
