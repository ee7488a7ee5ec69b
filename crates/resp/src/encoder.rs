//! Replies, appended to one buffer.
//!
//! What RESP3 has a type for, and RESP2 has not, is said in RESP2 as Redis says it there: a map is a flat array, a double a
//! bulk string.

use crate::number::{format_double, format_integer};

/// Which protocol a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// What every connection begins with.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

/// Replies to one connection that are not sent yet.
///
/// A reply that becomes larger than the bound is not appended any further: see [`Encoder::end`].
#[derive(Debug)]
pub struct Encoder {
    bytes: Vec<u8>,
    /// So many of them were sent.
    sent: usize,
    version: Version,
    /// Where the reply that is being written begins.
    start: usize,
    /// The greatest size of one reply.
    max_reply: usize,
    overflowed: bool,
}

/// A reply would be larger than it may be; nothing of it is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

// === impl Encoder ===

impl Encoder {
    /// One for a connection, whose replies have a bound.
    pub const fn new(max_reply: usize) -> Self {
        Self { bytes: Vec::new(), sent: 0, version: Version::Resp2, start: 0, max_reply, overflowed: false }
    }

    /// Which protocol replies are in.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Whether replies have the types of RESP3.
    pub fn is_resp3(&self) -> bool {
        self.version == Version::Resp3
    }

    /// From now on replies are in another.
    pub const fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// What is to be sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// How many bytes there are, those of them that were sent included.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing to send.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// So many bytes were sent. When all were, so much of the buffer's memory is kept.
    pub fn sent(&mut self, count: usize, kept: usize) {
        self.sent += count;
        if self.sent >= self.bytes.len() {
            self.sent = 0;
            self.bytes.clear();
            self.bytes.shrink_to(kept);
        }
    }

    /// A reply begins.
    pub const fn begin(&mut self) {
        self.start = self.bytes.len();
        self.overflowed = false;
    }

    /// Takes back what was written of the reply.
    pub fn take_back(&mut self) {
        self.bytes.truncate(self.start);
        self.overflowed = false;
    }

    /// The reply ends. One that is too large is taken back.
    pub fn end(&mut self) -> Result<(), TooLarge> {
        if !self.overflowed {
            return Ok(());
        }
        self.take_back();
        self.bytes.shrink_to(self.start);
        Err(TooLarge)
    }

    /// Replaces bytes that are not sent yet by an error.
    pub fn replace(&mut self, reply: std::ops::Range<usize>, error: &str) {
        let mut bytes = Vec::with_capacity(error.len() + 3);
        write_error(error, &mut bytes);
        self.bytes.splice(reply, bytes);
    }

    /// A short text without line breaks, such as `OK`.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error; its first word is for programs. Line breaks become spaces.
    pub fn error(&mut self, text: &str) {
        if self.has_room(text.len()) {
            write_error(text, &mut self.bytes);
        }
    }

    /// An integer.
    pub fn integer(&mut self, number: i64) {
        self.head(b':', number);
    }

    /// A byte string.
    pub fn bulk(&mut self, value: &[u8]) {
        self.head(b'$', value.len() as i64);
        self.raw(value);
        self.raw(b"\r\n");
    }

    /// No value.
    pub fn null(&mut self) {
        self.raw(match self.version {
            Version::Resp2 => b"$-1\r\n",
            Version::Resp3 => b"_\r\n",
        });
    }

    /// No value, where an array would be.
    pub fn null_array(&mut self) {
        self.raw(match self.version {
            Version::Resp2 => b"*-1\r\n",
            Version::Resp3 => b"_\r\n",
        });
    }

    /// So many replies follow, as one.
    pub fn array(&mut self, len: usize) {
        self.head(b'*', len as i64);
    }

    /// So many pairs of replies follow.
    pub fn map(&mut self, len: usize) {
        match self.version {
            Version::Resp2 => self.array(2 * len),
            Version::Resp3 => self.head(b'%', len as i64),
        }
    }

    /// So many replies follow, in no order.
    pub fn set(&mut self, len: usize) {
        self.typed(b'~', len);
    }

    /// So many replies follow, which no request asked for.
    pub fn push(&mut self, len: usize) {
        self.typed(b'>', len);
    }

    /// A floating-point number.
    pub fn double(&mut self, number: f64) {
        let mut text = Vec::with_capacity(24);
        format_double(number, &mut text);
        match self.version {
            Version::Resp2 => self.bulk(&text),
            Version::Resp3 => self.line(b',', &text),
        }
    }

    /// Yes or no.
    pub fn boolean(&mut self, yes: bool) {
        match self.version {
            Version::Resp2 => self.integer(yes.into()),
            Version::Resp3 => self.raw(if yes { b"#t\r\n" } else { b"#f\r\n" }),
        }
    }

    /// A text for people.
    pub fn verbatim(&mut self, text: &str) {
        match self.version {
            Version::Resp2 => self.bulk(text.as_bytes()),
            Version::Resp3 => {
                self.head(b'=', text.len() as i64 + 4);
                self.raw(b"txt:");
                self.raw(text.as_bytes());
                self.raw(b"\r\n");
            }
        }
    }

    /// The arrays of RESP2 that have types of their own in RESP3.
    fn typed(&mut self, mark: u8, len: usize) {
        match self.version {
            Version::Resp2 => self.array(len),
            Version::Resp3 => self.head(mark, len as i64),
        }
    }

    fn head(&mut self, mark: u8, number: i64) {
        if self.has_room(24) {
            self.bytes.push(mark);
            format_integer(number, &mut self.bytes);
            self.bytes.extend_from_slice(b"\r\n");
        }
    }

    fn line(&mut self, mark: u8, text: &[u8]) {
        self.raw(&[mark]);
        self.raw(text);
        self.raw(b"\r\n");
    }

    fn raw(&mut self, bytes: &[u8]) {
        if self.has_room(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        }
    }

    const fn has_room(&mut self, more: usize) -> bool {
        self.overflowed |= self.bytes.len() - self.start + more > self.max_reply;
        !self.overflowed
    }
}

fn write_error(text: &str, out: &mut Vec<u8>) {
    out.push(b'-');
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(version: Version, say: impl FnOnce(&mut Encoder)) -> String {
        let mut encoder = Encoder::new(1000);
        encoder.set_version(version);
        encoder.begin();
        say(&mut encoder);
        assert_eq!(encoder.end(), Ok(()));
        String::from_utf8(encoder.bytes().to_vec()).expect("ASCII")
    }

    #[test]
    fn what_only_resp3_has_is_said_in_resp2_as_redis_does() {
        let both = |say: fn(&mut Encoder)| (said(Version::Resp2, say), said(Version::Resp3, say));
        let pair = |two: &str, three: &str| (two.to_owned(), three.to_owned());
        assert_eq!(both(Encoder::null), pair("$-1\r\n", "_\r\n"));
        assert_eq!(both(Encoder::null_array), pair("*-1\r\n", "_\r\n"));
        assert_eq!(both(|out| out.map(2)), pair("*4\r\n", "%2\r\n"));
        assert_eq!(both(|out| out.set(2)), pair("*2\r\n", "~2\r\n"));
        assert_eq!(both(|out| out.push(3)), pair("*3\r\n", ">3\r\n"));
        assert_eq!(both(|out| out.double(1.5)), pair("$3\r\n1.5\r\n", ",1.5\r\n"));
        assert_eq!(both(|out| out.boolean(true)), pair(":1\r\n", "#t\r\n"));
        assert_eq!(both(|out| out.verbatim("a")), pair("$1\r\na\r\n", "=5\r\ntxt:a\r\n"));
    }

    #[test]
    fn what_both_have_is_the_same() {
        for version in [Version::Resp2, Version::Resp3] {
            assert_eq!(said(version, |out| out.simple("OK")), "+OK\r\n");
            assert_eq!(said(version, |out| out.error("ERR a\r\nb")), "-ERR a  b\r\n");
            assert_eq!(said(version, |out| out.integer(-7)), ":-7\r\n");
            assert_eq!(said(version, |out| out.bulk(b"a\r\n")), "$3\r\na\r\n\r\n");
            assert_eq!(said(version, |out| out.array(0)), "*0\r\n");
        }
    }

    #[test]
    fn a_reply_past_the_bound_is_taken_back_and_those_before_it_stay() {
        let mut encoder = Encoder::new(100);
        encoder.begin();
        encoder.simple("OK");
        assert_eq!(encoder.end(), Ok(()));
        encoder.begin();
        (0..50).for_each(|_| encoder.bulk(b"value"));
        assert_eq!((encoder.end(), encoder.bytes()), (Err(TooLarge), &b"+OK\r\n"[..]));
        encoder.begin();
        encoder.integer(1);
        assert_eq!((encoder.end(), encoder.bytes()), (Ok(()), &b"+OK\r\n:1\r\n"[..]));
    }

    #[test]
    fn a_reply_that_is_not_sent_yet_can_become_an_error() {
        let mut encoder = Encoder::new(100);
        encoder.simple("OK");
        let second = encoder.len()..encoder.len() + 4;
        encoder.integer(1);
        encoder.simple("OK");
        encoder.replace(second, "UNACKED no");
        assert_eq!(encoder.bytes(), b"+OK\r\n-UNACKED no\r\n+OK\r\n");
        encoder.sent(5, 16);
        assert_eq!(encoder.bytes(), b"-UNACKED no\r\n+OK\r\n");
    }
}
