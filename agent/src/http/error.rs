//! Problems as HTTP says them: a status, and JSON with a code, a message and what to do.

use axum::Json;
use axum::http::header::{ETAG, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::http::condition::quoted;
use crate::problem::{Kind, Problem};

/// A problem in JSON.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    code: &'a str,
    message: &'a str,
    hint: &'a str,
    /// Which request of a batch it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<usize>,
}

// === impl Document ===

impl<'a> Document<'a> {
    pub(super) fn of(problem: &'a Problem) -> Self {
        Self { code: problem.code, message: &problem.message, hint: &problem.hint, at: problem.at }
    }
}

// === impl Problem ===

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (status(self.kind), Json(Document::of(&self))).into_response();
        if let Some(tag) = &self.tag {
            response.headers_mut().insert(ETAG, quoted(tag));
        }
        if self.kind == Kind::Unavailable {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

pub(super) const fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Method => StatusCode::METHOD_NOT_ALLOWED,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Precondition => StatusCode::PRECONDITION_FAILED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Dependency => StatusCode::FAILED_DEPENDENCY,
        Kind::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Kind::Full => StatusCode::INSUFFICIENT_STORAGE,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Unacknowledged => StatusCode::GATEWAY_TIMEOUT,
    }
}

pub(super) fn bad_etag(header: &str) -> Problem {
    let message = format!("{header} holds something that is no version tag of this API");
    Problem::invalid("bad_etag", message, "pass the ETag of an earlier answer unchanged, with its quotes, or *")
}

pub(super) fn unknown_path(path: &str) -> Problem {
    let message = format!("there is nothing at {path}");
    Problem::new(Kind::NotFound, "unknown_path", message, "/openapi.json names all paths of this API")
}

pub(super) fn method_not_allowed() -> Problem {
    let hint = "/openapi.json names the methods of each path; POST to an entry takes an action, as in {key}:claim";
    Problem::new(Kind::Method, "method_not_allowed", "this path does not take this method", hint)
}

pub(super) fn body_timeout() -> Problem {
    Problem::new(Kind::TooSlow, "body_timeout", "the body did not arrive in time", "send the whole body at once")
}

pub(super) fn busy() -> Problem {
    let hint = "try again in a second, with fewer requests at once";
    Problem::new(Kind::Unavailable, "busy", "too many large bodies are under way at once", hint)
}
