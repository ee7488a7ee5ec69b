//! What the fields of a key are, by the media type of their values: every front tells it by these.

use baton_replica::Value;

/// A member of a set, by which it is told from a field of a hash that has an empty value.
pub(crate) const MEMBER: &str = "baton/member";

/// A member of a sorted set, whose value is its score in decimal.
pub(crate) const SCORE: &str = "baton/score";

/// Somebody who is present: JSON, with what is told of them and what ends it.
pub(crate) const PRESENCE: &str = "application/vnd.baton.presence+json";

/// Whether a field is a member of a set.
pub(crate) fn is_member(value: &Value) -> bool {
    &*value.content_type == MEMBER
}

/// What Redis calls a key whose first field this is.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match &*value.content_type {
        MEMBER => "set",
        SCORE => "zset",
        _ => "hash",
    }
}
