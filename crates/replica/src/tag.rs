//! Tags: the identity of what a reader saw, for conditional writes.

use std::fmt;
use std::str::FromStr;

use crate::{Dot, Entry};

/// The set of dots that a read returned; two reads have the same tag when they saw the same versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(Vec<Dot>);

/// The text is not a tag that this system gave; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a version tag: pass the ETag of an earlier answer, unchanged")]
pub struct ParseTagError;

// === impl Tag ===

impl Tag {
    /// The tag of an entry that has versions.
    pub fn of(entry: &Entry) -> Option<Self> {
        if entry.versions().is_empty() {
            return None;
        }
        let mut dots: Vec<Dot> = entry.versions().iter().map(|version| version.dot).collect();
        dots.sort_unstable();
        Some(Self(dots))
    }

    /// The tag of one version.
    pub fn of_dot(dot: Dot) -> Self {
        Self(vec![dot])
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, dot) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("+")?;
            }
            dot.fmt(f)?;
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
        dots.sort_unstable();
        Ok(Self(dots))
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
