//! What a request came to that was not carried out, or not as asked: in the same words on every front.

use std::borrow::Cow;

use baton_replica::{KeyError, MAX_KEY_BYTES, MapNameError, Refusal, Tag, WriteError};

use crate::engine::{BatchFailure, LimitError, TooManyWatchers, Unmet, WriteFailure};

/// A code, what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// From which each front derives its own kind of status.
    pub(crate) kind: Kind,
    /// For programs.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Cow<'static, str>,
    /// The version that the client should know of.
    pub(crate) tag: Option<Box<Tag>>,
    /// Which request of a batch it is about.
    pub(crate) at: Option<usize>,
}

/// What is to be blamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request makes no sense.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// The path does not take this method.
    Method,
    /// The key is somebody else's, or its owner has changed.
    Conflict,
    /// A condition on the version does not hold.
    Precondition,
    /// The value, or the request, is too large.
    TooLarge,
    /// Another request of the same batch could not be carried out.
    Dependency,
    /// The client was too slow.
    TooSlow,
    /// There is no room.
    Full,
    /// Not now; the same request may succeed in a second.
    Unavailable,
    /// It was done here, and others did not say in time that they have it.
    Unacknowledged,
}

// === impl Problem ===

impl Problem {
    pub(crate) fn new(
        kind: Kind,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { kind, code, message: message.into(), hint: hint.into(), tag: None, at: None }
    }

    /// The client is to blame.
    pub(crate) fn invalid(code: &'static str, message: impl Into<String>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, code, message, hint)
    }

    pub(crate) fn not_found() -> Self {
        let hint = "the key was never written here, has expired or was deleted; a put creates it";
        Self::new(Kind::NotFound, "not_found", "the key has no value", hint)
    }

    pub(crate) fn value_too_large(limit: u64) -> Self {
        let message = format!("the value has more than {limit} bytes, which is the limit of this map");
        let hint =
            "split the value over several keys, or raise maxValueBytes of the map or --max-value-bytes of the agent";
        Self::new(Kind::TooLarge, "value_too_large", message, hint)
    }
}

impl From<MapNameError> for Problem {
    fn from(error: MapNameError) -> Self {
        Self::invalid("bad_map", error.to_string(), "choose a name such as players or cart-items.v2")
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Map(error) => error.into(),
            KeyError::Length(_) => {
                let hint = format!("use a key of 1 to {MAX_KEY_BYTES} bytes, counted after percent-decoding");
                Self::invalid("bad_key", error.to_string(), hint)
            }
            KeyError::Field(_) => Self::invalid("bad_field", error.to_string(), "use a shorter field"),
        }
    }
}

impl From<Unmet> for Problem {
    fn from(unmet: Unmet) -> Self {
        let message = unmet.to_string();
        match unmet {
            Unmet::Version { current } => {
                let hint = "read the key again, decide anew, and pass the new version";
                Self { tag: current.map(Box::new), ..Self::new(Kind::Precondition, "condition_failed", message, hint) }
            }
            Unmet::Token { current } => {
                let hint = "this app does not own the key any more: end what it runs for it, and write nothing";
                Self { tag: current.map(Box::new), ..Self::new(Kind::Conflict, "stale_token", message, hint) }
            }
            Unmet::Owned { current } => {
                let hint = "leave it to its owner, or claim it whoever owns it";
                Self { tag: current.map(Box::new), ..Self::new(Kind::Conflict, "owned", message, hint) }
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Full => {
                let hint = "delete keys, or start the group with more shards";
                Self::new(Kind::Full, "shard_full", message, hint)
            }
            Refusal::NoValue => Self::not_found(),
            Refusal::NotOwner => {
                let hint = "claim the key first, or leave it to its owner";
                Self::new(Kind::Conflict, "not_owner", message, hint)
            }
            Refusal::Shared => {
                let hint = "read the counter, and put its value with the deadline";
                Self::new(Kind::Conflict, "shared_counter", message, hint)
            }
            Refusal::NoToken => Self::new(Kind::Conflict, "no_token", message, "delete the key, and put it again"),
            Refusal::NotAnInteger => Self::invalid(
                "not_an_integer",
                message,
                "add to keys that hold a 64-bit integer in decimal, or nothing",
            ),
            Refusal::Overflow => Self::invalid("overflow", message, "keep counters within 64 bits"),
            Refusal::TooLarge => Self::new(Kind::TooLarge, "batch_too_large", message, "send several smaller batches"),
        }
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Joining => {
                let hint = "the state is on its way from the other members; try again in a second, or wait for /readyz";
                Self::new(Kind::Unavailable, "joining", error.to_string(), hint)
            }
            WriteError::Sealed => {
                let hint = "this pod is ending; send the request to another pod, or try again when the agent is back";
                Self::new(Kind::Unavailable, "sealed", error.to_string(), hint)
            }
            WriteError::Condition { current } => Unmet::Version { current }.into(),
            WriteError::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<LimitError> for Problem {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Value { limit, .. } => Self::value_too_large(limit),
            LimitError::Bytes { .. } | LimitError::Entries { .. } => {
                let hint = "delete keys, or raise the map's limits in the HandoffGroup or the agent's";
                Self::new(Kind::Full, "map_full", error.to_string(), hint)
            }
        }
    }
}

impl From<WriteFailure> for Problem {
    fn from(failure: WriteFailure) -> Self {
        let message = failure.to_string();
        match failure {
            WriteFailure::Refused(error) => error.into(),
            WriteFailure::Unmet(unmet) => unmet.into(),
            WriteFailure::Limit(error) => error.into(),
            WriteFailure::TooFewMembers { .. } => {
                let hint = "nothing was written; ask for fewer acks, or try again when more members are active";
                Self::new(Kind::Unavailable, "too_few_members", message, hint)
            }
            WriteFailure::Unacknowledged { tag, .. } => {
                let hint = "the write stays and replicates on; write again, or read it later, if you must be sure";
                Self { tag: tag.map(Box::new), ..Self::new(Kind::Unacknowledged, "acks_timeout", message, hint) }
            }
        }
    }
}

impl Problem {
    /// What the failure of its shard's part is for one request of a batch.
    pub(crate) fn in_part(at: usize, failure: BatchFailure) -> Self {
        match failure {
            // One that was not acknowledged in time was made all the same, as all of its shard were.
            BatchFailure::Failed { failure: failure @ WriteFailure::Unacknowledged { .. }, .. } => failure.into(),
            BatchFailure::Failed { at: cause, failure } if cause == at => failure.into(),
            BatchFailure::Failed { at: cause, .. } => {
                let message = format!("nothing of its shard was written, because of request {cause}");
                let hint = "send it again without that one, or mend that one";
                Self::new(Kind::Dependency, "not_done", message, hint)
            }
            BatchFailure::SeveralShards => failure.into(),
        }
    }
}

impl From<BatchFailure> for Problem {
    fn from(failure: BatchFailure) -> Self {
        match failure {
            BatchFailure::SeveralShards => {
                let hint = "batch a key with its fields, which are always in one shard, or ask for \"atomic\": false";
                Self::invalid("several_shards", failure.to_string(), hint)
            }
            BatchFailure::Failed { at, failure } => {
                let problem = Self::from(failure);
                Self { message: format!("request {at}: {}", problem.message), at: Some(at), ..problem }
            }
        }
    }
}

impl From<TooManyWatchers> for Problem {
    fn from(error: TooManyWatchers) -> Self {
        let hint = "share one watch in the app, or end those that are not needed";
        Self::new(Kind::Unavailable, "too_many_watchers", error.to_string(), hint)
    }
}
