//! The memory of a shard, taken in spans of one size out of large chunks that never move.
//!
//! At a million keys nearly every operation waits for memory, and half of that wait is for page tables. So chunks are
//! anonymous mappings with huge pages where the system gives them on request. A small shard must stay small: pages of
//! the usual size serve its first spans, and what was never touched costs nothing.

use memmap2::MmapMut;

/// What the region gives: small enough for a shard with a few keys, since only touched pages cost.
pub(super) const SPAN_BYTES: usize = 64 * 1024;

const CHUNK_BYTES: usize = 16 * 1024 * 1024;

const SPANS_PER_CHUNK: usize = CHUNK_BYTES / SPAN_BYTES;

/// Bytes of a shard that are never in huge pages: 16 shards with little in them would take 32 MiB else.
#[cfg(target_os = "linux")]
const SMALL_BYTES: usize = 2 * 1024 * 1024;

/// Memory by offset. Spans are never given back: what is freed in them is used again by their owners.
#[derive(Debug, Default)]
pub(super) struct Region {
    chunks: Vec<Chunk>,
    spans: usize,
}

/// Zeroed memory.
#[derive(Debug)]
enum Chunk {
    Mapped(MmapMut),
    /// Where the system gives no mapping.
    Heap(Box<[u8]>),
}

// === impl Region ===

impl Region {
    /// The offset of a new span, aligned to its size and zeroed.
    pub(super) fn add_span(&mut self) -> usize {
        if self.spans == self.chunks.len() * SPANS_PER_CHUNK {
            self.chunks.push(Chunk::new(self.chunks.is_empty()));
        }
        let offset = self.spans * SPAN_BYTES;
        self.spans += 1;
        offset
    }

    /// From an offset to the end of its span, at least.
    pub(super) fn at(&self, offset: usize) -> &[u8] {
        &self.chunks[offset / CHUNK_BYTES].bytes()[offset % CHUNK_BYTES..]
    }

    /// From an offset to the end of its span, at least.
    pub(super) fn at_mut(&mut self, offset: usize) -> &mut [u8] {
        &mut self.chunks[offset / CHUNK_BYTES].bytes_mut()[offset % CHUNK_BYTES..]
    }
}

// === impl Chunk ===

impl Chunk {
    fn new(first: bool) -> Self {
        let Ok(map) = MmapMut::map_anon(CHUNK_BYTES) else {
            return Self::Heap(vec![0; CHUNK_BYTES].into_boxed_slice());
        };
        prefer_huge_pages(&map, first);
        Self::Mapped(map)
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Heap(bytes) => bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Heap(bytes) => bytes,
        }
    }
}

/// A request: where it is refused, all works as well, only slower.
#[cfg(target_os = "linux")]
fn prefer_huge_pages(map: &MmapMut, first: bool) {
    let small = if first { SMALL_BYTES } else { 0 };
    drop(map.advise_range(memmap2::Advice::HugePage, small, CHUNK_BYTES - small));
}

#[cfg(not(target_os = "linux"))]
fn prefer_huge_pages(_: &MmapMut, _: bool) {}
