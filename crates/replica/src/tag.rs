//! Tags: the identity of what a reader saw, for conditional writes.

use std::fmt;
use std::str::FromStr;

use crate::{Dot, Entry};

/// The set of dots that a read returned; two reads have the same tag when they saw the same versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    first: Dot,
    /// Above the first, in order; nearly always none.
    rest: Vec<Dot>,
}

/// The text is not a tag that this system gave; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a version tag: pass the ETag of an earlier answer, unchanged")]
pub struct ParseTagError;

// === impl Tag ===

impl Tag {
    /// The tag of an entry that has versions.
    pub fn of(entry: &Entry) -> Option<Self> {
        match entry.versions() {
            [version] => Some(Self::of_dot(version.dot)),
            versions => Self::of_dots(versions.iter().map(|version| version.dot).collect()),
        }
    }

    /// The tag of one version.
    pub const fn of_dot(dot: Dot) -> Self {
        Self { first: dot, rest: Vec::new() }
    }

    fn of_dots(mut dots: Vec<Dot>) -> Option<Self> {
        dots.sort_unstable();
        let first = *dots.first()?;
        dots.remove(0);
        Some(Self { first, rest: dots })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        for dot in &self.rest {
            write!(f, "+{dot}")?;
        }
        Ok(())
    }
}

impl FromStr for Tag {
    type Err = ParseTagError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut dots = Vec::new();
        for part in text.split('+') {
            let (replica, counter) = part.split_once('.').ok_or(ParseTagError)?;
            let replica = replica.parse().map_err(|_| ParseTagError)?;
            let counter = counter.parse().map_err(|_| ParseTagError)?;
            dots.push(Dot { replica, counter });
        }
        Self::of_dots(dots).ok_or(ParseTagError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_survives_the_trip_through_a_header() {
        let text = "00000000000000ff.12+0123456789abcdef.3";
        assert_eq!(text.parse::<Tag>().expect("valid").to_string(), text);
    }

    #[test]
    fn what_was_never_a_tag_is_refused() {
        for text in ["", "x", "00000000000000ff", "00000000000000ff.x", "0000000000000000.1", "ff.1"] {
            assert!(text.parse::<Tag>().is_err(), "{text}");
        }
    }
}
