//! The ends of a range of scores, or of members' names.

use baton_resp::parse_double;
use bytes::Bytes;

/// An end of a range of scores: `1.5`, `(1.5` without it, `-inf`, `+inf`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ScoreBound {
    score: f64,
    excluded: bool,
}

/// An end of a range of names: `[a`, `(a` without it, `-` and `+` for no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NameBound {
    Lowest,
    Included(Bytes),
    Excluded(Bytes),
    Highest,
}

// === impl ScoreBound ===

impl ScoreBound {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (excluded, text) = match text {
            [b'(', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        Some(Self { score: parse_double(text)?, excluded })
    }

    /// Whether a range that begins here has the score, or one behind it.
    pub(super) fn begins_before(&self, score: f64) -> bool {
        if self.excluded { score > self.score } else { score >= self.score }
    }

    /// Whether a range that ends here has the score, or one before it.
    pub(super) fn ends_after(&self, score: f64) -> bool {
        if self.excluded { score < self.score } else { score <= self.score }
    }
}

// === impl NameBound ===

impl NameBound {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"-" => Some(Self::Lowest),
            b"+" => Some(Self::Highest),
            [b'[', name @ ..] => Some(Self::Included(Bytes::copy_from_slice(name))),
            [b'(', name @ ..] => Some(Self::Excluded(Bytes::copy_from_slice(name))),
            _ => None,
        }
    }

    /// Whether a range that begins here has the name, or one behind it.
    pub(super) fn begins_before(&self, name: &[u8]) -> bool {
        match self {
            Self::Lowest => true,
            Self::Included(bound) => name >= bound,
            Self::Excluded(bound) => name > bound,
            Self::Highest => false,
        }
    }

    /// Whether a range that ends here has the name, or one before it.
    pub(super) fn ends_after(&self, name: &[u8]) -> bool {
        match self {
            Self::Lowest => false,
            Self::Included(bound) => name <= bound,
            Self::Excluded(bound) => name < bound,
            Self::Highest => true,
        }
    }
}
