//! What a command answers if it cannot be carried out: one line, whose first word is for programs.

use std::borrow::Cow;

use baton_replica::{KeyError, WriteError};

use crate::engine::WriteFailure;
use crate::problem::{Kind, Problem};

/// An error reply. Where Redis has one for it, it has those words: clients look for them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    #[error("ERR syntax error")]
    Syntax,
    #[error("ERR value is not an integer or out of range")]
    NotAnInteger,
    #[error("ERR value is not a valid float")]
    NotAFloat,
    #[error("ERR increment or decrement would overflow")]
    Overflow,
    #[error("ERR no such key")]
    NoSuchKey,
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(&'static str),
    #[error("ERR invalid expire time in '{0}' command")]
    ExpireTime(&'static str),
    #[error("ERR the reply would be too large; ask for less at once, as SCAN does")]
    ReplyTooLarge,
    #[error("{0}")]
    Text(Cow<'static, str>),
}

// === impl Failure ===

impl Failure {
    /// Any other, with its first word.
    pub(super) const fn text(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let Problem { kind, code, message, hint, .. } = problem;
        let word = match (code, kind) {
            ("not_an_integer", _) => return Self::NotAnInteger,
            ("overflow", _) => return Self::Overflow,
            // As long as it joins, as a Redis that loads its file: clients try again.
            ("joining", _) => "LOADING",
            // As a Redis that has become a replica: clients connect again.
            ("sealed", _) => "READONLY",
            ("too_few_members", _) => "NOREPLICAS",
            ("acks_timeout", _) => "UNACKED",
            (_, Kind::TooLarge | Kind::Full) => "OOM",
            _ => "ERR",
        };
        Self::Text(format!("{word} {message}; {hint}").into())
    }
}

impl From<WriteFailure> for Failure {
    fn from(failure: WriteFailure) -> Self {
        Problem::from(failure).into()
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Problem::from(error).into()
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Text(format!("ERR {error}").into())
    }
}

#[cfg(test)]
mod tests {
    use baton_replica::{Refusal, TooFewMembers};

    use super::*;
    use crate::engine::LimitError;

    #[test]
    fn errors_begin_with_the_word_that_clients_look_for() {
        let text = |failure: WriteFailure| Failure::from(failure).to_string();
        assert!(text(WriteError::Joining.into()).starts_with("LOADING "));
        assert!(text(WriteError::Sealed.into()).starts_with("READONLY "));
        assert!(text(LimitError::Bytes { held: 1, limit: 1 }.into()).starts_with("OOM "));
        assert!(text(LimitError::Value { size: 2, limit: 1 }.into()).starts_with("OOM "));
        assert!(text(WriteError::Refused(Refusal::Full).into()).starts_with("OOM "));
        assert!(text(TooFewMembers { asked: 2, members: 1 }.into()).starts_with("NOREPLICAS "));
        assert!(text(WriteFailure::Unacknowledged { tag: None, asked: 1, got: 0 }).starts_with("UNACKED "));
        assert!(text(WriteError::Refused(Refusal::Shared).into()).starts_with("ERR "));
        let not_an_integer = text(WriteError::Refused(Refusal::NotAnInteger).into());
        assert_eq!(not_an_integer, "ERR value is not an integer or out of range");
    }
}
