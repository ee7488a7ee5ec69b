//! The memory of a shard, taken in spans of one size out of large chunks that never move.
//!
//! At a million keys nearly every operation waits for memory, and half of that wait is for page tables. So chunks are
//! anonymous mappings that ask for huge pages, where the system gives them on request. A huge page that is used in part
//! costs the whole of it, in each shard: the first chunks ask for what has been filled, and the system makes huge pages of
//! it in its own time; later ones ask at once.

use memmap2::MmapMut;

/// What the region gives: small enough for a shard with a few keys, since only touched pages cost.
pub(super) const SPAN_BYTES: usize = 64 * 1024;

const CHUNK_BYTES: usize = 16 * 1024 * 1024;

const SPANS_PER_CHUNK: usize = CHUNK_BYTES / SPAN_BYTES;

/// Of the most usual size, 2 MiB.
const SPANS_PER_HUGE_PAGE: usize = 2 * 1024 * 1024 / SPAN_BYTES;

/// A shard with more may have a part of a huge page unused: by then that is little.
const SMALL_CHUNKS: usize = 2;

/// A shard with more takes whole spans at a time: one wait for the system, where each page would be one.
const SMALL_SPANS: usize = 16;

/// What the system is asked for.
#[derive(Clone, Copy, Debug)]
enum Advice {
    /// Pages of 2 MiB.
    HugePages,
    /// All pages at once, because they will be filled next.
    Populate,
}

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
            self.chunks.push(Chunk::new());
            if self.chunks.len() > SMALL_CHUNKS {
                self.advise(self.spans, SPANS_PER_CHUNK, Advice::HugePages);
            }
        }
        let offset = self.spans * SPAN_BYTES;
        self.spans += 1;
        if self.spans > SMALL_SPANS {
            self.advise(self.spans - 1, 1, Advice::Populate);
        }
        if self.chunks.len() <= SMALL_CHUNKS && self.spans.is_multiple_of(SPANS_PER_HUGE_PAGE) {
            self.advise(self.spans - SPANS_PER_HUGE_PAGE, SPANS_PER_HUGE_PAGE, Advice::HugePages);
        }
        offset
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.spans * SPAN_BYTES
    }

    /// From an offset to the end of its span, at least.
    pub(super) fn at(&self, offset: usize) -> &[u8] {
        &self.chunks[offset / CHUNK_BYTES].bytes()[offset % CHUNK_BYTES..]
    }

    /// From an offset to the end of its span, at least.
    pub(super) fn at_mut(&mut self, offset: usize) -> &mut [u8] {
        &mut self.chunks[offset / CHUNK_BYTES].bytes_mut()[offset % CHUNK_BYTES..]
    }

    /// A request for some spans: where it is refused, all works as well, only slower.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux takes requests"))]
    fn advise(&self, first: usize, spans: usize, advice: Advice) {
        #[cfg(target_os = "linux")]
        if let Chunk::Mapped(map) = &self.chunks[first / SPANS_PER_CHUNK] {
            let start = first % SPANS_PER_CHUNK * SPAN_BYTES;
            let advice = match advice {
                Advice::HugePages => memmap2::Advice::HugePage,
                Advice::Populate => memmap2::Advice::PopulateWrite,
            };
            drop(map.advise_range(advice, start, spans * SPAN_BYTES));
        }
    }
}

// === impl Chunk ===

impl Chunk {
    fn new() -> Self {
        match MmapMut::map_anon(CHUNK_BYTES) {
            Ok(map) => Self::Mapped(map),
            Err(_) => Self::Heap(vec![0; CHUNK_BYTES].into_boxed_slice()),
        }
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
