//! Reads of one entry.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_replica::{Read, Tag, Token, Version};
use serde::Serialize;

use crate::engine::Precondition;
use crate::http::Shared;
use crate::http::condition::{TOKEN, precondition, quoted};
use crate::http::path;
use crate::http::query::Query;
use crate::problem::Problem;

/// How many concurrent versions the key has, if there are several.
const SIBLINGS: HeaderName = HeaderName::from_static("baton-siblings");

/// When the value expires, in Unix milliseconds, if it does.
const EXPIRES_AT: HeaderName = HeaderName::from_static("baton-expires-at");

/// The replica that owns what the key stands for, if one does.
const OWNER: HeaderName = HeaderName::from_static("baton-owner");

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// All concurrent versions of a key.
#[derive(Serialize)]
struct Siblings {
    /// The tag of all of them: a write that names it replaces them.
    etag: String,
    /// The one that plain reads return comes first.
    siblings: Vec<Sibling>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    etag: String,
    content_type: String,
    size: usize,
    /// In base64.
    value: String,
}

/// `GET` and `HEAD`: the value; with `?siblings=true` all concurrent ones.
pub(super) async fn get(State(api): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let key = path::key(&uri)?;
    let all = Query::of(&uri, &["siblings"])?.flag("siblings")?;
    let read = api.engine.get(&key)?.ok_or_else(Problem::not_found)?;
    let asked = precondition(&headers)?;
    let unmodified = asked.is_not.as_ref().is_some_and(|tags| tags.contain(&read.tag));
    Precondition { is_not: None, ..asked }.check(Some(&read))?;
    if unmodified {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, quoted(&read.tag))]).into_response());
    }
    if all { Ok(([(ETAG, quoted(&read.tag))], Json(siblings(&read))).into_response()) } else { Ok(winner(read)) }
}

/// The value that wins, with what is known of it in headers.
pub(super) fn winner(read: Read) -> Response {
    let count = read.value_count();
    let (expires_at, owner) = (read.expires_at(), read.owner);
    let headers = [(ETAG, quoted(&read.tag)), (CONTENT_TYPE, content_type(&read.value.content_type))];
    let mut response = (headers, read.value.body).into_response();
    let headers = response.headers_mut();
    if count > 1 {
        headers.insert(SIBLINGS, HeaderValue::from(count));
    }
    if let Some(expires_at) = expires_at {
        headers.insert(EXPIRES_AT, HeaderValue::from(expires_at));
    }
    if let Some(token) = owner.as_ref().and_then(Token::of) {
        headers.insert(TOKEN, token_header(token));
    }
    if let Some(owner) = owner.and_then(|owner| owner.replica) {
        headers.insert(OWNER, visible(&owner.to_string()));
    }
    response
}

/// A fencing token as a header.
pub(super) fn token_header(token: Token) -> HeaderValue {
    visible(&token.to_string())
}

/// Hexadecimal digits are always a valid header.
fn visible(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// A media type as a header. One that a peer has passed on may be anything.
fn content_type(text: &str) -> HeaderValue {
    if text.is_empty() { OCTETS } else { HeaderValue::from_str(text).unwrap_or(OCTETS) }
}

fn siblings(read: &Read) -> Siblings {
    let sibling = |version: &Version| {
        let value = version.value.as_ref()?;
        Some(Sibling {
            etag: format!("\"{}\"", Tag::of_dot(version.dot)),
            content_type: value.content_type.to_string(),
            size: value.body.len(),
            value: STANDARD.encode(&value.body),
        })
    };
    Siblings { etag: format!("\"{}\"", read.tag), siblings: read.versions().iter().filter_map(sibling).collect() }
}
