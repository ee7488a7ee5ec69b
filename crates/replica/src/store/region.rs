//! The memory of a shard, taken in spans of one size out of chunks, which are found by their number and may move.
//!
//! At a million keys nearly every operation waits for memory, and half of that wait is for page tables. So each chunk is a
//! huge page, where the system gives them on request. A huge page that is used in part costs the whole of it, in each
//! shard: a chunk begins as small pages, and moves into a huge one as soon as all of its spans are in use.

use memmap2::MmapMut;

/// What the region gives: small enough for a shard with a few keys, since only touched pages cost.
pub(super) const SPAN_BYTES: usize = 64 * 1024;

/// A huge page of the most usual size.
const CHUNK_BYTES: usize = 2 * 1024 * 1024;

const SPANS_PER_CHUNK: usize = CHUNK_BYTES / SPAN_BYTES;

/// A shard with more may have a part of a huge page unused: by then that is little, and nothing has to move.
const SMALL_CHUNKS: usize = 16;

/// A shard with more takes whole spans at a time: one wait for the system, where each page would be one.
const SMALL_SPANS: usize = 16;

/// Memory by offset. Spans are never given back: what is freed in them is used again by their owners.
#[derive(Debug, Default)]
pub(super) struct Region {
    chunks: Vec<Chunk>,
    spans: usize,
}

/// Zeroed memory.
#[derive(Debug)]
struct Chunk {
    memory: Memory,
    /// Where the chunk begins in it.
    start: usize,
    is_huge: bool,
}

#[derive(Debug)]
enum Memory {
    Mapped(MmapMut),
    /// Where the system gives no mapping.
    Heap(Box<[u8]>),
}

// === impl Region ===

impl Region {
    /// The offset of a new span, aligned to its size and zeroed.
    pub(super) fn add_span(&mut self) -> usize {
        if self.spans == self.chunks.len() * SPANS_PER_CHUNK {
            self.add_chunk();
        }
        let offset = self.spans * SPAN_BYTES;
        self.spans += 1;
        if self.spans > SMALL_SPANS {
            self.chunks[offset / CHUNK_BYTES].populate(offset % CHUNK_BYTES, SPAN_BYTES);
        }
        offset
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.spans * SPAN_BYTES
    }

    /// From an offset to the end of its span, at least.
    pub(super) fn at(&self, offset: usize) -> &[u8] {
        self.chunks[offset / CHUNK_BYTES].bytes(offset % CHUNK_BYTES)
    }

    /// From an offset to the end of its span, at least.
    pub(super) fn at_mut(&mut self, offset: usize) -> &mut [u8] {
        self.chunks[offset / CHUNK_BYTES].bytes_mut(offset % CHUNK_BYTES)
    }

    fn add_chunk(&mut self) {
        if let Some(full) = self.chunks.last_mut() {
            full.become_huge();
        }
        let huge = if self.chunks.len() < SMALL_CHUNKS { None } else { Chunk::huge() };
        self.chunks.push(huge.unwrap_or_else(Chunk::small));
    }
}

// === impl Chunk ===

impl Chunk {
    fn small() -> Self {
        let mapped = MmapMut::map_anon(CHUNK_BYTES).map(Memory::Mapped);
        let memory = mapped.unwrap_or_else(|_| Memory::Heap(vec![0; CHUNK_BYTES].into_boxed_slice()));
        Self { memory, start: 0, is_huge: false }
    }

    /// A huge page, if the system has one when the memory is touched; otherwise it is made of small ones.
    #[cfg(target_os = "linux")]
    fn huge() -> Option<Self> {
        // Only what is aligned can be one page. Some systems align large mappings; of twice the size, some part is.
        let past = |map: &MmapMut| map.as_ptr().addr() % CHUNK_BYTES;
        let mut map = MmapMut::map_anon(CHUNK_BYTES).ok()?;
        if past(&map) > 0 {
            map = MmapMut::map_anon(2 * CHUNK_BYTES).ok()?;
        }
        let start = (CHUNK_BYTES - past(&map)) % CHUNK_BYTES;
        map.advise_range(memmap2::Advice::HugePage, start, CHUNK_BYTES).ok()?;
        Some(Self { memory: Memory::Mapped(map), start, is_huge: true })
    }

    #[cfg(not(target_os = "linux"))]
    const fn huge() -> Option<Self> {
        None
    }

    fn become_huge(&mut self) {
        if self.is_huge {
            return;
        }
        if let Some(mut huge) = Self::huge() {
            huge.bytes_mut(0).copy_from_slice(self.bytes(0));
            *self = huge;
        }
    }

    /// A part will be filled next. Where the system refuses, all works as well, only slower.
    #[cfg_attr(not(target_os = "linux"), expect(clippy::unused_self, unused_variables, reason = "only Linux can"))]
    fn populate(&self, start: usize, bytes: usize) {
        #[cfg(target_os = "linux")]
        if let Memory::Mapped(map) = &self.memory {
            drop(map.advise_range(memmap2::Advice::PopulateWrite, self.start + start, bytes));
        }
    }

    fn bytes(&self, at: usize) -> &[u8] {
        let bytes: &[u8] = match &self.memory {
            Memory::Mapped(map) => map,
            Memory::Heap(bytes) => bytes,
        };
        &bytes[self.start + at..self.start + CHUNK_BYTES]
    }

    fn bytes_mut(&mut self, at: usize) -> &mut [u8] {
        let bytes: &mut [u8] = match &mut self.memory {
            Memory::Mapped(map) => map,
            Memory::Heap(bytes) => bytes,
        };
        &mut bytes[self.start + at..self.start + CHUNK_BYTES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_stays_where_it_is_when_its_chunk_moves() {
        let mut region = Region::default();
        let spans: Vec<usize> = (0..3 * SPANS_PER_CHUNK).map(|_| region.add_span()).collect();
        for (number, span) in spans.iter().enumerate() {
            region.at_mut(*span)[SPAN_BYTES - 1] = number as u8;
        }
        let later = region.add_span();
        for (number, span) in spans.iter().enumerate() {
            assert_eq!((span % SPAN_BYTES, region.at(*span)[SPAN_BYTES - 1]), (0, number as u8));
        }
        assert!(region.at(later).iter().all(|byte| *byte == 0));
    }
}
