//! Reads of one entry.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_replica::{Read, Tag, Version};
use serde::Serialize;

use crate::http::Shared;
use crate::http::condition::{Preconditions, quoted};
use crate::http::error::ApiError;
use crate::http::path;
use crate::http::query::Query;

/// How many concurrent versions the key has, if there are several.
const SIBLINGS: HeaderName = HeaderName::from_static("baton-siblings");

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
pub(super) async fn get(State(api): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    let key = path::key(&uri)?;
    let all = Query::of(&uri, &["siblings"])?.flag("siblings")?;
    let preconditions = Preconditions::of(&headers)?;
    let read = api.engine.get(&key)?.ok_or_else(ApiError::not_found)?;
    if !preconditions.wants(&read.tag) {
        return Err(ApiError::condition_failed(Some(read.tag)));
    }
    let etag = [(ETAG, quoted(&read.tag))];
    if preconditions.unmodified(&read.tag) {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    if all { Ok((etag, Json(siblings(&read))).into_response()) } else { Ok(winner(read)) }
}

/// A media type as a header. One that a peer has passed on may be anything.
pub(super) fn content_type(text: &str) -> HeaderValue {
    if text.is_empty() { OCTETS } else { HeaderValue::from_str(text).unwrap_or(OCTETS) }
}

fn winner(read: Read) -> Response {
    let count = read.value_count();
    let headers = [(ETAG, quoted(&read.tag)), (CONTENT_TYPE, content_type(&read.value.content_type))];
    let mut response = (headers, read.value.body).into_response();
    if count > 1 {
        response.headers_mut().insert(SIBLINGS, HeaderValue::from(count));
    }
    response
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
