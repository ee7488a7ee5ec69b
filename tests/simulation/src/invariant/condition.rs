//! A write is made only if what it asks of its keys holds of what its replica shows, and is refused for that only if it
//! does not. A batch asks of all its keys as they were before it.

use baton_replica::{Condition, Entry, Request, Token, WriteError};

/// When a write was made or refused: what the replica showed of each key before.
pub(crate) fn check(requests: &[Request], before: &[Shown], outcome: Result<(), &WriteError>) -> Result<(), String> {
    let held = || requests.iter().zip(before).map(|(request, shown)| (request, holds(&request.condition, shown)));
    match outcome {
        Ok(()) => match held().find(|(_, holds)| *holds == Some(false)) {
            Some((request, _)) => Err(format!("{request:?} is done, though its condition does not hold")),
            None => Ok(()),
        },
        Err(WriteError::Condition { .. }) if held().all(|(_, holds)| holds == Some(true)) => {
            Err(format!("{requests:?} is refused, though what it asks holds"))
        }
        Err(_) => Ok(()),
    }
}

/// What a replica shows of a key.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Without what has expired.
    pub(crate) entry: Entry,
    /// Something has: then the owner may be said again, before the write, on what is left.
    pub(crate) has_expired: bool,
}

/// Whether a condition holds; unknown of an owner that may be said again.
fn holds(condition: &Condition, shown: &Shown) -> Option<bool> {
    let exists = !shown.entry.versions().is_empty();
    match condition {
        Condition::Always => Some(true),
        Condition::Absent => Some(!exists),
        Condition::Present => Some(exists),
        Condition::Matches(tag) => {
            let mut dots: Vec<_> = shown.entry.versions().iter().map(|version| version.dot).collect();
            dots.sort_unstable();
            let seen: Vec<String> = dots.iter().map(ToString::to_string).collect();
            Some(exists && seen.join("+") == tag.to_string())
        }
        Condition::Token(_) | Condition::Unowned if shown.has_expired => None,
        Condition::Token(token) => Some(exists && shown.entry.owner().and_then(Token::of) == Some(*token)),
        Condition::Unowned => Some(exists && shown.entry.owner().is_none_or(|owner| owner.replica.is_none())),
    }
}
