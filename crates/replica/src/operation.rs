//! What a client can do to one key, as a change of its entry.
//!
//! First it is asked whether an operation can be done at all, and whether it has anything to write; then it is done, and
//! cannot fail. So a batch can be refused as a whole.

use std::borrow::Cow;

use crate::expiry::{change_unexpired, unexpired};
use crate::mutant::{Mutant, active};
use crate::{Dot, Entry, Hlc, Key, Owner, Read, ReplicaId, Roster, Token, Value, Version, counter};

/// One operation on one key, and what must hold for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key.
    pub key: Key,
    /// What must hold of it.
    pub condition: Condition,
    /// What to do.
    pub operation: Operation,
}

/// What must hold of the key for a write to be made. It is checked here, on this replica, not across the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// The key has no value.
    Absent,
    /// The key has a value.
    Present,
    /// The key's versions are these.
    Matches(crate::Tag),
    /// The key's owner has this fencing token.
    Token(Token),
    /// The key has a value, and no owner.
    Unowned,
}

/// What to do with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Replaces the value by another, which everybody drops at a time, if any (Unix milliseconds).
    Put {
        /// The value.
        value: Value,
        /// When it expires.
        expires_at: Option<u64>,
    },
    /// Puts a default, which loses to any real value that is still on its way; nothing if the key has a value.
    Init {
        /// The default.
        value: Value,
        /// When it expires.
        expires_at: Option<u64>,
    },
    /// Deletes the value; nothing if there is none.
    Delete,
    /// Deletes the value and answers with it.
    Take,
    /// Adds to the integer that the key holds, or to 0 if it holds nothing. The deadline stays.
    Increment(i64),
    /// Gives the value another deadline, or none; nothing if there is no value.
    Touch {
        /// When the value expires.
        expires_at: Option<u64>,
    },
    /// Makes this replica the owner of what the key stands for, with a new fencing token, and says that it runs here.
    Claim,
    /// Nobody is the owner any more; nothing if nobody is.
    Release,
    /// Says that what this replica has adopted runs here now.
    Confirm,
}

/// An operation that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The name of the write; `None` if there was nothing to write.
    pub dot: Option<Dot>,
    /// Whether the key had a value before.
    pub existed: bool,
    /// What the operation answers.
    pub answer: Answer,
}

/// What an operation answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// What was there, to a take.
    Taken(Option<Read>),
    /// The new value, to an increment.
    Count(i64),
    /// The fencing token, to a claim.
    Token(Token),
}

/// Why an operation cannot be done, whatever the condition; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What is to be added to is text, or another number than a 64-bit integer in plain decimal.
    #[error("the value is not an integer")]
    NotAnInteger,
    /// The sum, or this replica's part of it, would leave 64 bits.
    #[error("the counter would overflow")]
    Overflow,
    /// Others have added to the counter: to replace what they have added by a copy could count it twice.
    #[error("other members have added to this counter; put its value anew, with the deadline")]
    Shared,
    /// What does not exist has no owner.
    #[error("the key has no value")]
    NoValue,
    /// Only the owner can say that it runs what it owns.
    #[error("this replica is not the owner")]
    NotOwner,
    /// The key bears the last fencing token that there is. None was ever given by a clock: a broken peer made it up. A
    /// delete ends it.
    #[error("there is no greater fencing token for this key; delete it first")]
    NoToken,
    /// The shard is as large as it may be: see [`crate::Limits::max_bytes`].
    #[error("the shard is full: delete keys, or use more shards")]
    Full,
    /// More than [`crate::MAX_BATCH`] requests, or than [`crate::MAX_BATCH_BYTES`].
    #[error("the batch is too large")]
    TooLarge,
}

/// Whether an operation has anything to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Write,
    Nothing,
}

/// What the replica brings to an operation of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Author<'a> {
    pub(crate) roster: &'a Roster,
    pub(crate) dot: Dot,
    pub(crate) hlc: Hlc,
    /// The number of the fencing token, if one is to be given.
    pub(crate) token: u64,
    pub(crate) now: u64,
}

// === impl Condition ===

impl Condition {
    /// Whether it holds of an entry in which nothing has expired.
    pub(crate) fn holds(&self, entry: Option<&Entry>) -> bool {
        let entry = entry.filter(|entry| !entry.versions().is_empty());
        match self {
            Self::Always => true,
            Self::Absent | Self::Present if active(Mutant::ConditionHolds) => true,
            Self::Absent => entry.is_none(),
            Self::Present => entry.is_some(),
            Self::Matches(_) if active(Mutant::AnyTagMatches) => entry.is_some(),
            Self::Matches(tag) => entry.and_then(Entry::tag).as_ref() == Some(tag),
            Self::Token(token) => match entry.and_then(Entry::owner).and_then(Token::of) {
                Some(later) if active(Mutant::EarlierTokenHolds) => *token <= later,
                shown => shown == Some(*token),
            },
            Self::Unowned if active(Mutant::OwnedIsUnowned) => entry.is_some(),
            Self::Unowned => entry.is_some_and(|entry| entry.owner().is_none_or(|owner| owner.replica.is_none())),
        }
    }
}

// === impl Operation ===

impl Operation {
    /// The client's bytes in it.
    pub fn size(&self) -> usize {
        match self {
            Self::Put { value, .. } | Self::Init { value, .. } => value.size(),
            _ => 0,
        }
    }

    /// Whether it may make anything larger: all but what ends something.
    pub const fn needs_room(&self) -> bool {
        !matches!(self, Self::Delete | Self::Take | Self::Release)
    }

    /// Whether it can be done to what is stored of a key, and whether that is a write.
    pub(crate) fn need(&self, stored: Option<&Entry>, roster: &Roster, now: u64) -> Result<Need, Refusal> {
        let none = Entry::default();
        let stored = stored.unwrap_or(&none);
        // A new token is above that of a version which has expired and cannot be dropped yet, too.
        if self.takes_token() && stored.owner().is_some_and(|owner| owner.token == u64::MAX) {
            return Err(Refusal::NoToken);
        }
        let entry = &*unexpired(Cow::Borrowed(stored), now);
        let exists = !entry.versions().is_empty();
        let if_true = |needed| if needed { Need::Write } else { Need::Nothing };
        match self {
            Self::Put { .. } => Ok(Need::Write),
            Self::Init { .. } => Ok(if_true(!exists || active(Mutant::InitOverwrites))),
            Self::Delete | Self::Take => Ok(if_true(exists)),
            Self::Increment(by) => counter::can_add(entry, *by, roster).map(|()| Need::Write),
            Self::Touch { .. } if exists => counter::can_copy(entry, roster).map(|()| Need::Write),
            Self::Touch { .. } => Ok(Need::Nothing),
            Self::Claim if exists => Ok(Need::Write),
            Self::Claim => Err(Refusal::NoValue),
            Self::Release => Ok(if_true(entry.owner().is_some_and(|owner| owner.replica.is_some()))),
            Self::Confirm => match entry.owner().filter(|owner| owner.replica == Some(roster.me())) {
                Some(owner) => Ok(if_true(!owner.confirmed)),
                None => Err(Refusal::NotOwner),
            },
        }
    }

    /// Does it; the entry needs it.
    pub(crate) fn apply(self, entry: &mut Entry, author: &Author<'_>) -> Answer {
        change_unexpired(entry, author.now, |entry| self.apply_unexpired(entry, author))
    }

    fn apply_unexpired(self, entry: &mut Entry, author: &Author<'_>) -> Answer {
        let &Author { dot, hlc, token, .. } = author;
        match self {
            Self::Put { value, expires_at } => put(entry, Version::put(dot, hlc, value, expires_at)),
            Self::Init { value, expires_at } => {
                let hlc = if active(Mutant::InitOverwrites) { hlc } else { Hlc::default() };
                put(entry, Version::put(dot, hlc, value, expires_at));
            }
            Self::Delete => entry.delete(dot),
            Self::Take => {
                let read = Read::of(entry, author.now);
                match active(Mutant::TakeWithoutOwnDot) {
                    true => drop(entry.supersede(|_| true)),
                    false => entry.delete(dot),
                }
                return Answer::Taken(read);
            }
            Self::Increment(by) => {
                counter::add(entry, by, author);
                return Answer::Count(entry.value().and_then(|value| value.integer()).unwrap_or_default());
            }
            Self::Touch { expires_at } => counter::copy(entry, expires_at, author),
            Self::Claim => {
                own(entry, Owner { confirmed: true, ..Owner::given(Some(dot.replica), token, dot) });
                return Answer::Token(Token { number: token, by: dot.replica });
            }
            Self::Release => own(entry, Owner::given(None, token, dot)),
            Self::Confirm => {
                if let Some(owner) = entry.owner().copied() {
                    own(entry, Owner { dot, confirmed: true, ..owner });
                }
            }
        }
        Answer::Nothing
    }

    /// Whether it needs the number of a new fencing token.
    pub(crate) const fn takes_token(&self) -> bool {
        matches!(self, Self::Claim | Self::Release)
    }
}

/// Puts a version, with the owner that is there.
pub(crate) fn put(entry: &mut Entry, version: Version) {
    let owner = entry.owner().filter(|_| !active(Mutant::PutDropsOwner));
    let owner = owner.copied().map(Box::new);
    entry.put(Version { owner, ..version });
}

/// All versions get the register: whichever of them outlives the others keeps it.
pub(crate) fn own(entry: &mut Entry, owner: Owner) {
    for version in &mut entry.versions {
        version.owner = Some(Box::new(owner));
    }
}

/// Whose version it is for the rules of counters.
pub(crate) fn is_by(version: &Version, replica: ReplicaId) -> bool {
    version.dot.replica == replica
}
