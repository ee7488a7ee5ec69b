//! Requests as somebody types them: words in one line, quoted where they must be.

use crate::argument::Span;

/// The words of a line, without the quotes around them, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) bytes: Vec<u8>,
}

/// A quote that is not closed, or closed in the middle of a word.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unbalanced;

// === impl Words ===

impl Words {
    /// Splits a line. In double quotes a backslash begins `\n`, `\r`, `\t`, `\a`, `\b`, `\xHH` or stands for what follows
    /// it; in single quotes only for a single quote.
    pub(crate) fn split(&mut self, line: &[u8], spans: &mut Vec<Span>) -> Result<(), Unbalanced> {
        self.bytes.clear();
        let mut rest = line;
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return Ok(());
            }
            let start = self.bytes.len() as u32;
            rest = self.word(rest)?;
            spans.push(Span { start, end: self.bytes.len() as u32 });
        }
    }

    /// Takes one word, and returns what follows it.
    fn word<'a>(&mut self, mut rest: &'a [u8]) -> Result<&'a [u8], Unbalanced> {
        loop {
            rest = match rest {
                [] => return Ok(rest),
                [b'"', inner @ ..] => return after_quote(self.double_quoted(inner)?),
                [b'\'', inner @ ..] => return after_quote(self.single_quoted(inner)?),
                [byte, ..] if byte.is_ascii_whitespace() => return Ok(rest),
                [byte, more @ ..] => {
                    self.bytes.push(*byte);
                    more
                }
            };
        }
    }

    fn double_quoted<'a>(&mut self, mut rest: &'a [u8]) -> Result<&'a [u8], Unbalanced> {
        loop {
            let byte;
            (byte, rest) = match rest {
                [] => return Err(Unbalanced),
                [b'"', more @ ..] => return Ok(more),
                [b'\\', b'x', high, low, more @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    (hex(*high) << 4 | hex(*low), more)
                }
                [b'\\', escaped, more @ ..] => (unescaped(*escaped), more),
                [byte, more @ ..] => (*byte, more),
            };
            self.bytes.push(byte);
        }
    }

    fn single_quoted<'a>(&mut self, mut rest: &'a [u8]) -> Result<&'a [u8], Unbalanced> {
        loop {
            let byte;
            (byte, rest) = match rest {
                [] => return Err(Unbalanced),
                [b'\'', more @ ..] => return Ok(more),
                [b'\\', b'\'', more @ ..] => (b'\'', more),
                [byte, more @ ..] => (*byte, more),
            };
            self.bytes.push(byte);
        }
    }
}

fn after_quote(rest: &[u8]) -> Result<&[u8], Unbalanced> {
    match rest.first() {
        Some(byte) if !byte.is_ascii_whitespace() => Err(Unbalanced),
        _ => Ok(rest),
    }
}

const fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<String>, Unbalanced> {
        let (mut words, mut spans) = (Words::default(), Vec::new());
        words.split(line.as_bytes(), &mut spans)?;
        let word = |span: &Span| words.bytes[span.start as usize..span.end as usize].escape_ascii().to_string();
        Ok(spans.iter().map(word).collect())
    }

    #[test]
    fn words_are_split_at_spaces_and_kept_together_by_quotes() {
        assert_eq!(words("  SET  a\tb "), Ok(vec!["SET".into(), "a".into(), "b".into()]));
        assert_eq!(words(r#"SET "a b" 'c d'"#), Ok(vec!["SET".into(), "a b".into(), "c d".into()]));
        assert_eq!(words(r#""\x00\n\"\\" '\'\n' """#), Ok(vec![r#"\x00\n\"\\"#.into(), r"\'\\n".into(), "".into()]));
        assert_eq!(words("ab\"c d\""), Ok(vec!["abc d".into()]));
        assert_eq!(words(""), Ok(vec![]));
    }

    #[test]
    fn a_quote_that_does_not_end_is_refused() {
        for line in ["\"a", "'a", "\"a\"b", "'a'b", "\"a\\"] {
            assert_eq!(words(line), Err(Unbalanced), "{line}");
        }
    }
}
