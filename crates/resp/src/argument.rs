//! The arguments of one request, where they lie.

/// Where an argument lies, from the start of its request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// The arguments of one request; the first is the command's name.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

// === impl Arguments ===

impl<'a> Arguments<'a> {
    pub(crate) const fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        Self { bytes, spans }
    }

    /// How many there are, the command's name included.
    pub const fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none, not even a name: such a request asks for nothing, and is not answered.
    pub const fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// One of them; empty if there are not so many.
    pub fn get(&self, index: usize) -> &'a [u8] {
        self.spans.get(index).map_or(&[], |span| self.at(*span))
    }

    /// All of them from one on.
    pub fn from(&self, index: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let this = *self;
        self.spans.get(index..).unwrap_or_default().iter().map(move |span| this.at(*span))
    }

    fn at(&self, span: Span) -> &'a [u8] {
        self.bytes.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}
