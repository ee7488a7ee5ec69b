//! Messages are weighed before they are taken apart.
//!
//! Two bytes can be a row of a list that takes two hundred in memory: a frame at its limit would become gigabytes before
//! anybody could look at it. Only packed items may be large, and those are bytes until they are unpacked.

use prost::encoding::{WireType, decode_key, decode_varint};

use crate::directory::{Notice, Report};
use crate::identity::{IssueRequest, IssueResponse};
use crate::peer::{Frame, IdentifyRequest, Identity};

/// What the largest part, a row, takes in memory, three times: while a vector of them grows, its old half is there too.
const PER_PART: usize = 3 * 192;

/// A byte of a packed list can be a number of eight, in a vector that grows.
const PER_LOOSE: usize = 3 * 8;

/// The first allocations of vectors and texts, and an error.
const FIRST: usize = 4 * 1024;

/// How heavy a message may be.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// What is as small as this cannot hurt, and is not weighed.
    pub light: usize,
    /// Most bytes that are not packed items.
    pub loose: usize,
    /// Most messages and texts within the message: rows, settings of maps, survivors.
    pub parts: usize,
}

/// A message from the network.
pub trait Weighed {
    /// How many bytes the buffers of a stream of them begin with, and grow by. Each stream keeps its buffers.
    const BUFFER: usize = 8 * 1024;

    /// What there is in an encoded one; `None` if it is malformed. Most have nothing that decoding makes more of.
    fn weigh(_: &[u8]) -> Option<Weight> {
        Some(Weight::default())
    }
}

/// What decoding costs beside the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Bytes that stay bytes.
    pub packed: usize,
    /// Messages and texts.
    pub parts: usize,
}

// === impl Scale ===

impl Scale {
    /// That of the network. Loose are a clock, the ids of a list and founders at their limits, or the list of as many
    /// members as one object of Kubernetes can hold.
    pub const WIRE: Self = Self { light: 64 * 1024, loose: 2 * 1024 * 1024, parts: 65_536 };

    /// Whether an encoded message may be decoded.
    pub fn passes<M: Weighed>(&self, bytes: &[u8]) -> bool {
        let is_fit = |weight: Weight| bytes.len() - weight.packed <= self.loose && weight.parts <= self.parts;
        bytes.len() <= self.light || M::weigh(bytes).is_some_and(is_fit)
    }

    /// The most memory, in bytes, that decoding what passes takes beside the bytes that came.
    pub const fn most(&self) -> usize {
        let (light, heavy) = (self.light / 2 * PER_PART, self.loose * PER_LOOSE + self.parts * PER_PART);
        FIRST + if light > heavy { light } else { heavy }
    }
}

// === impl Weighed ===

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
            10 => sum(content, |_, content| Some(Weight { packed: content.len(), parts: 1 })),
            _ => Some(Weight::default()),
        })
    }
}

impl Weighed for Notice {
    // An operator has thousands of streams, with hardly anything on them.
    const BUFFER: usize = 512;

    fn weigh(bytes: &[u8]) -> Option<Weight> {
        sum(bytes, |number, content| if number == 1 { list(content) } else { Some(Weight::default()) })
    }
}

impl Weighed for Report {
    const BUFFER: usize = 512;

    fn weigh(bytes: &[u8]) -> Option<Weight> {
        sum(bytes, |number, content| match number {
            1 => sum(content, |number, _| Some(part(matches!(number, 11 | 15)))),
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
        2 | 5 => Some(part(true)),
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

#[cfg(test)]
mod tests;
