//! What a key is to Redis, to which each key is of one kind.
//!
//! Here it is what its fields say: a key has no kind of its own that two pods could disagree on. Where they have made the
//! same key two kinds of thing at once, the first field decides, and each kind's commands see the fields of theirs.

use baton_replica::{Key, Listed, Operation, Read, Value};
use bytes::Bytes;

use crate::collection::{MEMBER, SCORE};
use crate::engine::{Range, Turn};
use crate::redis::failure::Failure;

/// Fields that are looked at for one that decides: a counter does not if what it began with has no type, or was deleted
/// while another pod added to it.
const DECIDING: usize = 8;

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Hash,
    Set,
    SortedSet,
}

// === impl Kind ===

impl Kind {
    /// The kind of a key; `None` if there is no such key.
    pub(super) fn of(turn: &Turn<'_>, key: &Key) -> Result<Option<Self>, Failure> {
        if turn.has_value(key)? {
            return Ok(Some(Self::String));
        }
        let first = turn.fields(key, Range { prefix: b"", after: None, limit: DECIDING })?;
        let decided = first.iter().find_map(|listed| Self::of_field(&listed.read));
        Ok(decided.or((!first.is_empty()).then_some(Self::Hash)))
    }

    /// Whether there is such a key; one of another kind is refused.
    pub(super) fn exists(self, turn: &Turn<'_>, key: &Key) -> Result<bool, Failure> {
        match Self::of(turn, key)? {
            None => Ok(false),
            Some(kind) if kind == self => Ok(true),
            Some(_) => Err(Failure::WrongType),
        }
    }

    /// A field of a key of this kind.
    pub(super) fn field(self, turn: &Turn<'_>, key: &Key, name: &[u8]) -> Result<Option<Read>, Failure> {
        let read = turn.get(&key.with_field(name)?)?.filter(|read| self.fits(read));
        // Who finds what it looks for need not look what else there is. What could be of another kind is one of a hash's.
        let found = read.as_ref().is_some_and(|read| Self::of_field(read).unwrap_or(Self::Hash) == self);
        if !found || turn.has_value(key)? {
            self.exists(turn, key)?;
        }
        Ok(read)
    }

    /// All fields of a key of this kind, in the order of their names.
    pub(super) fn fields(self, turn: &Turn<'_>, key: &Key) -> Result<Vec<Listed>, Failure> {
        self.exists(turn, key)?;
        let mut listed = turn.fields(key, Range { prefix: b"", after: None, limit: usize::MAX })?;
        listed.retain(|listed| self.fits(&listed.read));
        Ok(listed)
    }

    fn of_field(read: &Read) -> Option<Self> {
        match &*read.value.content_type {
            MEMBER => Some(Self::Set),
            SCORE => Some(Self::SortedSet),
            // What it began with has no type, or was deleted while another pod added to it.
            _ if read.counter.is_some() => None,
            _ => Some(Self::Hash),
        }
    }

    /// Whether a field is one of this kind.
    pub(super) fn fits(self, read: &Read) -> bool {
        Self::of_field(read).map_or(matches!(self, Self::Hash | Self::SortedSet), |kind| kind == self)
    }
}

/// The name of a field.
pub(super) fn name_of(listed: &Listed) -> &[u8] {
    listed.key.field().unwrap_or_default()
}

/// What puts a field of a key: one that is there keeps its deadline, a new one gets the deadline of the others.
pub(super) fn put(turn: &Turn<'_>, key: &Key, field: &Key, value: Value) -> Result<Operation, Failure> {
    let expires_at = match turn.get(field)? {
        Some(read) => read.expires_at(),
        None => turn.deadline(key)?,
    };
    Ok(Operation::Put { value, expires_at })
}

/// A value of a kind of field.
pub(super) fn value(content_type: &str, body: impl Into<Bytes>) -> Value {
    Value { content_type: content_type.into(), body: body.into() }
}
