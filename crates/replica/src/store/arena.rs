//! Blocks of any size in spans of the region, filled from one end; what dies is won back a span at a time.
//!
//! There are no free lists, so no pattern of sizes can leave holes that fit nothing. When an eighth of all is dead, the
//! span with most dead in it is emptied: its living blocks move. So blocks are found by their ids, which stay.
//!
//! ```text
//! block: [id: 4][size, in units of 4 bytes: 2][the owner's][...]
//! ```

use crate::store::RecordId;
use crate::store::region::{Region, SPAN_BYTES};

/// Blocks begin at multiples of this; 32 bits of units are 16 GiB a shard. [`crate::Limits::max_bytes`] ends before.
pub(super) const UNIT_BYTES: usize = 4;

/// What the arena keeps at the beginning of a block.
pub(super) const HEAD_BYTES: usize = 6;

/// Stands for the id in a block that is dead.
const DEAD: u32 = u32::MAX;

/// What may be dead: an eighth, and two spans more, so that small shards do not move blocks for nothing.
const MAX_DEAD_PART: usize = 8;
const MAX_DEAD_SPANS: usize = 2;

/// Where a block is, in units; the region's first span belongs to the index, so that no block is at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position(u32);

/// The spans that hold blocks.
#[derive(Debug)]
pub(super) struct Arena {
    /// By number, of all spans of the region.
    spans: Vec<Span>,
    /// The one that is being filled.
    current: usize,
    empty: Vec<usize>,
    dead: usize,
    in_use: usize,
}

/// How far a span is filled, and how much of that is dead.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    filled: usize,
    dead: usize,
}

// === impl Position ===

impl Position {
    /// Where nothing is.
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    pub(super) const fn offset(self) -> usize {
        self.0 as usize * UNIT_BYTES
    }
}

// === impl Arena ===

impl Arena {
    pub(super) fn new(region: &mut Region) -> Self {
        let mut arena = Self { spans: Vec::new(), current: 0, empty: Vec::new(), dead: 0, in_use: 0 };
        arena.fill_another(region);
        debug_assert!(arena.current > 0, "the first span is the index's");
        arena
    }

    /// A block for a record; so many bytes with the head, 64 KiB at most.
    pub(super) fn add(&mut self, region: &mut Region, id: RecordId, bytes: usize) -> Position {
        let size = bytes.next_multiple_of(UNIT_BYTES);
        if self.spans[self.current].filled + size > SPAN_BYTES {
            self.fill_another(region);
        }
        let span = &mut self.spans[self.current];
        let offset = self.current * SPAN_BYTES + span.filled;
        span.filled += size;
        let block = region.at_mut(offset);
        block[..4].copy_from_slice(&id.bits().to_le_bytes());
        block[4..HEAD_BYTES].copy_from_slice(&((size / UNIT_BYTES) as u16).to_le_bytes());
        Position((offset / UNIT_BYTES) as u32)
    }

    /// The block's record and size.
    pub(super) fn head(block: &[u8]) -> (RecordId, usize) {
        let (id, size) = (block[..4].first_chunk(), block[4..].first_chunk());
        let id = id.map_or(DEAD, |id| u32::from_le_bytes(*id));
        (RecordId::from_bits(id), size.map_or(0, |size| usize::from(u16::from_le_bytes(*size))) * UNIT_BYTES)
    }

    pub(super) fn remove(&mut self, region: &mut Region, position: Position) {
        let block = region.at_mut(position.offset());
        let (_, size) = Self::head(block);
        block[..4].copy_from_slice(&DEAD.to_le_bytes());
        self.spans[position.offset() / SPAN_BYTES].dead += size;
        self.dead += size;
    }

    /// Of all spans in which something is.
    pub(super) const fn bytes(&self) -> u64 {
        (self.in_use * SPAN_BYTES) as u64
    }

    /// Of all blocks that live.
    pub(super) fn live_bytes(&self) -> u64 {
        (self.spans.iter().map(|span| span.filled).sum::<usize>() - self.dead) as u64
    }

    /// Whether a span should be emptied.
    pub(super) const fn wants_emptying(&self) -> bool {
        self.dead > (self.in_use / MAX_DEAD_PART + MAX_DEAD_SPANS) * SPAN_BYTES
    }

    /// Empties the span in which most is dead. Says what moved, from where to where.
    pub(super) fn empty_one(&mut self, region: &mut Region) -> Vec<(RecordId, Position, Position)> {
        let full = (0..self.spans.len()).filter(|span| *span != self.current);
        let Some(victim) = full.max_by_key(|span| self.spans[*span].dead) else { return Vec::new() };
        let (mut moved, mut block) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < self.spans[victim].filled {
            let offset = victim * SPAN_BYTES + at;
            let (id, size) = Self::head(region.at(offset));
            if id.bits() != DEAD {
                block.clear();
                block.extend_from_slice(&region.at(offset)[..size]);
                let to = self.add(region, id, size);
                region.at_mut(to.offset())[..size].copy_from_slice(&block);
                moved.push((id, Position((offset / UNIT_BYTES) as u32), to));
            }
            at += size;
        }
        self.dead -= self.spans[victim].dead;
        self.in_use -= 1;
        self.spans[victim] = Span::default();
        self.empty.push(victim);
        moved
    }

    fn fill_another(&mut self, region: &mut Region) {
        self.current = self.empty.pop().unwrap_or_else(|| region.add_span() / SPAN_BYTES);
        if self.spans.len() <= self.current {
            self.spans.resize(self.current + 1, Span::default());
        }
        self.in_use += 1;
    }
}
