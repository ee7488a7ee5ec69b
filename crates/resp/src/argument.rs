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

/// Arguments that are kept for later.
#[derive(Clone, Debug)]
pub struct KeptArguments {
    bytes: Box<[u8]>,
    spans: Box<[Span]>,
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

    /// A copy of them.
    pub fn keep(&self) -> KeptArguments {
        let mut bytes = Vec::with_capacity(self.from(0).map(<[u8]>::len).sum());
        let spans = self.from(0).map(|argument| {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(argument);
            Span { start, end: bytes.len() as u32 }
        });
        let spans = spans.collect();
        KeptArguments { bytes: bytes.into(), spans }
    }

    fn at(&self, span: Span) -> &'a [u8] {
        self.bytes.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

// === impl KeptArguments ===

impl KeptArguments {
    /// The arguments.
    pub const fn arguments(&self) -> Arguments<'_> {
        Arguments::new(&self.bytes, &self.spans)
    }

    /// Bytes of memory that they take.
    pub const fn size(&self) -> usize {
        self.bytes.len() + self.spans.len() * size_of::<Span>()
    }
}
