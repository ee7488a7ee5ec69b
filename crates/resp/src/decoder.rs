//! Requests, found at the start of the bytes that have come.
//!
//! A request is an array of bulk strings, or a line of words. What has been found of one is remembered, so that a large
//! request that comes in many parts is looked at once.

use std::fmt;

use crate::argument::{Arguments, Span};
use crate::inline::{Unbalanced, Words};
use crate::number::parse_integer;

/// The longest line that says a length: no number needs more.
const MAX_LENGTH_LINE: usize = 32;

/// More arguments than nearly all requests have: what is kept for the next one.
const KEPT_SPANS: usize = 1024;

/// What a request may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// One argument, in bytes.
    pub max_bulk: usize,
    /// Arguments of one request.
    pub max_arguments: usize,
    /// A line of words, in bytes.
    pub max_inline: usize,
    /// All of it, in bytes, but for the lines that say lengths; below 4 GiB.
    pub max_request: usize,
}

/// The bytes are no request, or one that is too large. Nothing that follows can be made sense of: the connection is to be
/// closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// How many arguments there are is no number, or too many.
    #[error("Protocol error: invalid multibulk length")]
    ArrayLength,
    /// The line that says it does not end.
    #[error("Protocol error: too big mbulk count string")]
    ArrayLine,
    /// How long an argument is is no number, below zero, or too long.
    #[error("Protocol error: invalid bulk length")]
    BulkLength,
    /// The line that says it does not end.
    #[error("Protocol error: too big bulk count string")]
    BulkLine,
    /// Something else is where an argument should begin.
    #[error("Protocol error: expected '$', got '{}'", Shown(*.0))]
    NotBulk(u8),
    /// An argument is longer than it says.
    #[error("Protocol error: expected CRLF after a bulk string")]
    BulkEnd,
    /// A line of words does not end.
    #[error("Protocol error: too big inline request")]
    InlineLength,
    /// In a line of words, a quote does not end.
    #[error("Protocol error: unbalanced quotes in request")]
    Quotes,
    /// All arguments together.
    #[error("Protocol error: too big request")]
    RequestLength,
}

/// Finds requests.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// Those found of the request that is being looked at, or of the one that was found last.
    spans: Vec<Span>,
    words: Words,
    state: State,
    /// Where to go on, from the start of the request.
    at: usize,
    /// Bytes of the arguments so far.
    size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is known yet.
    Start,
    /// A line of words, of which the end is looked for.
    Line,
    /// So many arguments are missing.
    Array(usize),
    /// The same, and the next one has so many bytes.
    Bulk(usize, usize),
    /// It was found: of words, or not.
    Found { inline: bool },
}

/// What is said of a byte that may be anything.
struct Shown(u8);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.escape_ascii(), f)
    }
}

// === impl Decoder ===

impl Decoder {
    /// One for a connection.
    pub const fn new(limits: Limits) -> Self {
        let words = Words { bytes: Vec::new() };
        Self { limits, spans: Vec::new(), words, state: State::Start, at: 0, size: 0 }
    }

    /// Looks for the request that begins with these bytes: says how long it is, or `None` if some of it is missing. Then
    /// it is to be called with the same bytes and more.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if let State::Found { .. } = self.state {
            self.forget();
        }
        loop {
            let found = match self.state {
                State::Start => match bytes.first() {
                    None => return Ok(None),
                    Some(b'*') => self.array(bytes)?,
                    Some(_) => self.go(State::Line),
                },
                State::Line => self.line(bytes)?,
                State::Array(0) => self.go(State::Found { inline: false }),
                State::Array(missing) => self.bulk_length(bytes, missing)?,
                State::Bulk(missing, length) => self.bulk(bytes, missing, length)?,
                State::Found { .. } => return Ok(Some(self.at)),
            };
            if !found {
                return Ok(None);
            }
        }
    }

    /// The arguments of the request that was found last, in the same bytes.
    pub fn arguments<'a>(&'a self, bytes: &'a [u8]) -> Arguments<'a> {
        match self.state {
            State::Found { inline: true } => Arguments::new(&self.words.bytes, &self.spans),
            State::Found { inline: false } => Arguments::new(bytes, &self.spans),
            _ => Arguments::new(&[], &[]),
        }
    }

    /// Whether a request has begun to come whose end is missing.
    pub fn is_within(&self) -> bool {
        !matches!(self.state, State::Start | State::Found { .. })
    }

    /// How many bytes the request has at least, as far as is known.
    pub const fn expected(&self) -> usize {
        match self.state {
            State::Bulk(_, length) => self.at + length + 2,
            _ => self.at,
        }
    }

    fn forget(&mut self) {
        self.state = State::Start;
        self.at = 0;
        self.size = 0;
        self.spans.clear();
        self.spans.shrink_to(KEPT_SPANS);
        self.words.bytes.clear();
        self.words.bytes.shrink_to(KEPT_SPANS);
    }

    fn go(&mut self, state: State) -> bool {
        self.state = state;
        true
    }

    fn array(&mut self, bytes: &[u8]) -> Result<bool, ProtocolError> {
        let Some(length) = self.length(bytes, ProtocolError::ArrayLine, ProtocolError::ArrayLength)? else {
            return Ok(false);
        };
        // Below zero is nothing, as zero is.
        let missing = usize::try_from(length).unwrap_or(0);
        if missing > self.limits.max_arguments {
            return Err(ProtocolError::ArrayLength);
        }
        Ok(self.go(State::Array(missing)))
    }

    fn bulk_length(&mut self, bytes: &[u8], missing: usize) -> Result<bool, ProtocolError> {
        match bytes.get(self.at) {
            None => return Ok(false),
            Some(b'$') => {}
            Some(other) => return Err(ProtocolError::NotBulk(*other)),
        }
        let Some(length) = self.length(bytes, ProtocolError::BulkLine, ProtocolError::BulkLength)? else {
            return Ok(false);
        };
        let length = usize::try_from(length).map_err(|_| ProtocolError::BulkLength)?;
        if length > self.limits.max_bulk {
            return Err(ProtocolError::BulkLength);
        }
        self.size += length;
        if self.size > self.limits.max_request {
            return Err(ProtocolError::RequestLength);
        }
        Ok(self.go(State::Bulk(missing, length)))
    }

    fn bulk(&mut self, bytes: &[u8], missing: usize, length: usize) -> Result<bool, ProtocolError> {
        let end = self.at + length;
        match bytes.get(end..end + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Err(ProtocolError::BulkEnd),
            None => return Ok(false),
        }
        self.spans.push(Span { start: self.at as u32, end: end as u32 });
        self.at = end + 2;
        Ok(self.go(State::Array(missing - 1)))
    }

    /// The number in a line that begins with a mark.
    fn length(
        &mut self,
        bytes: &[u8],
        endless: ProtocolError,
        malformed: ProtocolError,
    ) -> Result<Option<i64>, ProtocolError> {
        let line = bytes.get(self.at + 1..).unwrap_or_default();
        let Some(end) = line.iter().take(MAX_LENGTH_LINE).position(|byte| *byte == b'\n') else {
            return if line.len() < MAX_LENGTH_LINE { Ok(None) } else { Err(endless) };
        };
        let Some(digits) = line[..end].strip_suffix(b"\r") else { return Err(malformed) };
        self.at += 1 + end + 1;
        parse_integer(digits).map(Some).ok_or(malformed)
    }

    fn line(&mut self, bytes: &[u8]) -> Result<bool, ProtocolError> {
        let end = bytes[self.at..].iter().position(|byte| *byte == b'\n').map(|end| self.at + end);
        let length = end.unwrap_or(bytes.len());
        if length > self.limits.max_inline {
            return Err(ProtocolError::InlineLength);
        }
        self.at = length;
        let Some(end) = end else { return Ok(false) };
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        self.words.split(line, &mut self.spans).map_err(|Unbalanced| ProtocolError::Quotes)?;
        self.at = end + 1;
        Ok(self.go(State::Found { inline: true }))
    }
}

#[cfg(test)]
mod tests;
