//! Errors as clients see them: a status, and JSON with a code, a message and what to do.

use axum::Json;
use axum::http::header::{ETAG, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use baton_replica::{KeyError, MAX_KEY_BYTES, MapNameError, Refusal, Tag, WriteError};
use serde::Serialize;

use crate::engine::{LimitError, WriteFailure};
use crate::http::condition::quoted;

/// What a request came to that was not carried out, or not as asked.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: String,
    /// The version that the client should know of.
    tag: Option<Tag>,
    /// Whether the same request may succeed in a second.
    retry: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
    hint: &'a str,
}

// === impl ApiError ===

impl ApiError {
    /// The client is to blame.
    pub(super) fn bad(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message, hint)
    }

    pub(super) fn bad_etag(header: &str) -> Self {
        let message = format!("{header} holds something that is no version tag of this API");
        Self::bad("bad_etag", message, "pass the ETag of an earlier answer unchanged, with its quotes, or *")
    }

    pub(super) fn not_found() -> Self {
        let hint = "the key was never written here, or was deleted; PUT creates it";
        Self::new(StatusCode::NOT_FOUND, "not_found", "the key has no value", hint)
    }

    pub(super) fn unknown_path(path: &str) -> Self {
        let message = format!("there is nothing at {path}");
        let hint =
            "entries are at /v1/maps/{map}/entries/{key}, lists at /v1/maps/{map}/entries, the state at /v1/status";
        Self::new(StatusCode::NOT_FOUND, "unknown_path", message, hint)
    }

    pub(super) fn method_not_allowed() -> Self {
        let hint = "entries take GET, HEAD, PUT and DELETE; lists and the status take GET and HEAD";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path does not take this method", hint)
    }

    pub(super) fn condition_failed(current: Option<Tag>) -> Self {
        let message = match current {
            Some(_) => "the key has another version than the request asks for",
            None => "the key has no value, and the request asks for one",
        };
        let hint = "read the key again, decide anew, and pass the new ETag";
        Self { tag: current, ..Self::new(StatusCode::PRECONDITION_FAILED, "condition_failed", message, hint) }
    }

    pub(super) fn value_too_large(limit: u64) -> Self {
        let message = format!("the value has more than {limit} bytes, which is the limit of this map");
        let hint =
            "split the value over several keys, or raise maxValueBytes of the map or --max-value-bytes of the agent";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "value_too_large", message, hint)
    }

    pub(super) fn body_timeout() -> Self {
        let hint = "send the whole body at once";
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body did not arrive in time", hint)
    }

    pub(super) fn busy() -> Self {
        let hint = "try again in a second, with fewer requests at once";
        let message = "too many large bodies are under way at once";
        Self { retry: true, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message, hint) }
    }

    fn new(status: StatusCode, code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), hint: hint.into(), tag: None, retry: false }
    }

    fn unavailable(code: &'static str, message: impl Into<String>, hint: &str) -> Self {
        Self { retry: true, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message, hint) }
    }
}

impl From<MapNameError> for ApiError {
    fn from(error: MapNameError) -> Self {
        Self::bad("bad_map", error.to_string(), "choose a name such as players or cart-items.v2")
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Map(error) => error.into(),
            KeyError::Length(_) => {
                let hint = format!("use a key of 1 to {MAX_KEY_BYTES} bytes, counted after percent-decoding");
                Self::bad("bad_key", error.to_string(), hint)
            }
            KeyError::Field(_) => Self::bad("bad_field", error.to_string(), "use a shorter field"),
        }
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Joining => {
                let hint = "the state is on its way from the other members; try again in a second, or wait for /readyz";
                Self::unavailable("joining", error.to_string(), hint)
            }
            WriteError::Sealed => {
                let hint = "this pod is ending; send the request to another pod, or try again when the agent is back";
                Self::unavailable("sealed", error.to_string(), hint)
            }
            WriteError::Condition { current } => Self::condition_failed(current),
            WriteError::Refused(Refusal::Full) => {
                let hint = "delete keys, or start the group with more shards";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "shard_full", error.to_string(), hint)
            }
            WriteError::Refused(refusal) => {
                Self::bad("refused", refusal.to_string(), "read the key, and ask for what can be done to it")
            }
        }
    }
}

impl From<LimitError> for ApiError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Value { limit, .. } => Self::value_too_large(limit),
            LimitError::Bytes { .. } | LimitError::Entries { .. } => {
                let hint = "delete keys, or raise the map's limits in the HandoffGroup or the agent's";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "map_full", error.to_string(), hint)
            }
        }
    }
}

impl From<WriteFailure> for ApiError {
    fn from(failure: WriteFailure) -> Self {
        let message = failure.to_string();
        match failure {
            WriteFailure::Refused(error) => error.into(),
            WriteFailure::Limit(error) => error.into(),
            WriteFailure::TooFewMembers { .. } => {
                let hint = "nothing was written; ask for fewer acks, or try again when more members are active";
                Self::unavailable("too_few_members", message, hint)
            }
            WriteFailure::Unacknowledged { tag, .. } => {
                let hint = "the write stays and replicates on; write again, or read it later, if you must be sure";
                let error = Self::new(StatusCode::GATEWAY_TIMEOUT, "acks_timeout", message, hint);
                Self { tag: Some(tag), ..error }
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(Body { code: self.code, message: &self.message, hint: &self.hint });
        let mut response = (self.status, body).into_response();
        if let Some(tag) = &self.tag {
            response.headers_mut().insert(ETAG, quoted(tag));
        }
        if self.retry {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
