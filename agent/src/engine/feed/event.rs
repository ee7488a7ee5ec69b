//! One thing that happened, and its place among all.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use baton_replica::{Change, Key, ReplicaId, State, Token};
use bytes::Bytes;

use crate::engine::MemberStatus;
use crate::presence::is_presence;

/// What an event takes besides keys and values: itself, its encoded forms' names, tags and punctuation.
const OVERHEAD: usize = 768;

/// The place of an event among all of one process: its epoch, and its number there.
///
/// Nothing of one epoch follows on anything of another: a process begins one when it starts, and again when it has not
/// noted what happened, or has lost all that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(super) epoch: u64,
    pub(super) number: u64,
}

/// The text is no id of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no id of an event")]
pub(crate) struct ParsePositionError;

/// One thing that happened.
pub(crate) struct Event {
    pub(crate) position: Position,
    pub(crate) what: What,
    /// This replica, when it happened.
    pub(crate) me: ReplicaId,
    /// As server-sent events have it, once somebody has asked.
    pub(crate) text: OnceLock<Bytes>,
    /// The same for those who are told who has come and gone; empty if nobody has.
    pub(crate) diff: OnceLock<Bytes>,
}

/// What happened.
pub(crate) enum What {
    /// A key or field has another value, owner or deadline.
    Change(Change),
    /// This replica has taken over a key from an owner who has gone.
    Adopted { key: Key, state: State, token: Token },
    /// This replica does not own a key any more; what is there now.
    Released { key: Key, state: Option<State>, token: Token },
    /// The other members have changed.
    Members { number: u64, members: Vec<MemberStatus> },
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Change,
    Adopted,
    Released,
    Members,
    /// A change of who is there; else it is a plain one.
    Presence,
}

// === impl Position ===

impl Position {
    /// The position of the event before.
    pub(crate) const fn before(self) -> Self {
        Self { number: self.number.wrapping_sub(1), ..self }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.number)
    }
}

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, number) = text.split_once('-').ok_or(ParsePositionError)?;
        let hex = epoch.len() == 16 && epoch.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        if !(hex && digits) {
            return Err(ParsePositionError);
        }
        let epoch = u64::from_str_radix(epoch, 16).map_err(|_| ParsePositionError)?;
        Ok(Self { epoch, number: number.parse().map_err(|_| ParsePositionError)? })
    }
}

// === impl Event ===

impl Event {
    /// What it takes in memory, its encoded forms included.
    pub(super) fn size(&self) -> usize {
        let value = |state: &Option<State>| state.as_ref().map_or(0, |state| state.value.size());
        let bytes = match &self.what {
            What::Change(change) => change.key.as_bytes().len() + value(&change.before) + value(&change.after),
            What::Adopted { key, state, .. } => key.as_bytes().len() + state.value.size(),
            What::Released { key, state, .. } => key.as_bytes().len() + value(state),
            What::Members { members, .. } => members.len() * OVERHEAD,
        };
        let forms = if matches!(&self.what, What::Change(change) if is_presence(change)) { 3 } else { 2 };
        OVERHEAD + forms * bytes
    }
}

// === impl What ===

impl What {
    /// What a change of a key is, and what it means for this replica.
    pub(super) fn of_change(change: Change, me: ReplicaId) -> impl Iterator<Item = Self> {
        let owner = |state: &Option<State>| state.as_ref().and_then(|state| state.owner);
        let (before, after) = (owner(&change.before), owner(&change.after));
        let mine = |owner: Option<baton_replica::Owner>| owner.filter(|owner| owner.replica == Some(me));
        let ownership = match (mine(before), mine(after)) {
            (None, Some(owner)) if !owner.confirmed => {
                let (state, token) = (change.after.clone(), Token::of(&owner));
                state.zip(token).map(|(state, token)| Self::Adopted { key: change.key.clone(), state, token })
            }
            (Some(owner), None) => {
                let (key, state) = (change.key.clone(), change.after.clone());
                Token::of(&owner).map(|token| Self::Released { key, state, token })
            }
            _ => None,
        };
        [Some(Self::Change(change)), ownership].into_iter().flatten()
    }

    /// Which kind it is.
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Change(_) => Kind::Change,
            Self::Adopted { .. } => Kind::Adopted,
            Self::Released { .. } => Kind::Released,
            Self::Members { .. } => Kind::Members,
        }
    }

    /// What it happened to.
    pub(crate) const fn key(&self) -> Option<&Key> {
        match self {
            Self::Change(change) => Some(&change.key),
            Self::Adopted { key, .. } | Self::Released { key, .. } => Some(key),
            Self::Members { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_the_trip_as_text() {
        let position = Position { epoch: 0xab, number: 12 };
        assert_eq!(position.to_string(), "00000000000000ab-12");
        assert_eq!("00000000000000ab-12".parse(), Ok(position));
    }

    #[test]
    fn what_was_never_a_position_is_refused() {
        for text in
            ["", "-", "ab-1", "00000000000000ab", "00000000000000ab-x", "00000000000000ab-+1", "+0000000000000ab-1"]
        {
            assert_eq!(text.parse::<Position>(), Err(ParsePositionError), "{text}");
        }
        assert!("00000000000000ab-18446744073709551616".parse::<Position>().is_err());
    }
}
