//! Fencing tokens: what an owner shows, so that whoever has taken over after it can be told from it.

use std::fmt;
use std::str::FromStr;

use crate::{Owner, ReplicaId};

/// Hexadecimal digits of each half.
const DIGITS: usize = 16;

/// Names one ownership of one key. Of two ownerships of a key the later has the greater token, and no two replicas ever
/// get the same one: two that take over in the same millisecond, unseen by each other, differ in the second half.
///
/// As text it has 32 hexadecimal digits, whose order as text is that of the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Above every number that the new owner's shard had seen.
    pub number: u64,
    /// Who became the owner.
    pub by: ReplicaId,
}

/// The text is not a token that this system gave; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a fencing token: pass the token of the claim, unchanged")]
pub struct ParseTokenError;

// === impl Token ===

impl Token {
    /// The token of an ownership; `None` after a release.
    pub fn of(owner: &Owner) -> Option<Self> {
        owner.replica.map(|by| Self { number: owner.token, by })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0DIGITS$x}{}", self.number, self.by)
    }
}

impl FromStr for Token {
    type Err = ParseTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, by) = text.split_at_checked(DIGITS).ok_or(ParseTokenError)?;
        if !number.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseTokenError);
        }
        let number = u64::from_str_radix(number, 16).map_err(|_| ParseTokenError)?;
        Ok(Self { number, by: by.parse().map_err(|_| ParseTokenError)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u64, by: u64) -> Token {
        Token { number, by: ReplicaId::new(by).expect("not zero") }
    }

    #[test]
    fn a_token_survives_the_trip_as_text_and_keeps_its_order() {
        let in_order = [token(9, u64::MAX), token(10, 1), token(10, 2), token(u64::MAX, 1)];
        let texts = in_order.map(|token| token.to_string());
        assert!(texts.is_sorted());
        assert_eq!(texts.map(|text| text.parse::<Token>().expect("valid")), in_order);
    }

    #[test]
    fn what_was_never_a_token_is_refused() {
        let zero = "0".repeat(32);
        for text in ["", "1", "+00000000000000900000000000000001", &zero, &"é".repeat(16), &"f".repeat(33)] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }
}
