//! Writes of one entry.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use baton_replica::{Answer, Operation, Value};

use crate::engine::{Batch, BatchFailure, Change, Engine, Stored, Write, WriteFailure};
use crate::http::Shared;
use crate::http::condition::{TOKEN, precondition, quoted};
use crate::http::path;
use crate::http::query::Query;
use crate::http::read::token_header;
use crate::media_type;
use crate::problem::Problem;

/// How many other members had applied the write when it was answered.
pub(super) const ACKS: HeaderName = HeaderName::from_static("baton-acks");

/// `PUT`: 201 if the key had no value, 200 if it had.
pub(super) async fn put(State(api): Shared, uri: Uri, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let key = path::key(&uri)?;
    let query = Query::of(&uri, &["acks", "ttl", "init", "claim"])?;
    let (acks, expires_at) = (query.acks()?, query.expires_at()?);
    let (init, claim) = (query.flag("init")?, query.flag("claim")?);
    let precondition = precondition(&headers)?;
    let content_type = content_type(&headers)?;
    let body = api.bodies.read(&headers, body, api.engine.max_value_bytes(&key)).await?;
    let value = Value { content_type, body };
    let operation = if init { Operation::Init { value, expires_at } } else { Operation::Put { value, expires_at } };
    let write = Write { key, precondition, operation, acks };
    let stored = if claim { put_and_claim(&api.engine, write).await? } else { api.engine.write(write).await? };
    let status = if stored.existed { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, told(&stored)).into_response())
}

/// `DELETE`: 204, or 404 if the key had no value.
pub(super) async fn delete(State(api): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let key = path::key(&uri)?;
    let acks = Query::of(&uri, &["acks"])?.acks()?;
    let precondition = precondition(&headers)?;
    let stored = api.engine.write(Write { key, precondition, operation: Operation::Delete, acks }).await?;
    if !stored.written {
        return Err(Problem::not_found());
    }
    Ok((StatusCode::NO_CONTENT, told(&stored)).into_response())
}

/// What a write came to, as headers.
pub(super) fn told(stored: &Stored) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(ACKS, HeaderValue::from(stored.acks))]);
    if let Some(tag) = &stored.tag {
        headers.insert(ETAG, quoted(tag));
    }
    if let Answer::Token(token) = stored.answer {
        headers.insert(TOKEN, token_header(token));
    }
    headers
}

/// Nobody can see the value without its owner.
async fn put_and_claim(engine: &Engine, write: Write) -> Result<Stored, WriteFailure> {
    let Write { key, precondition, operation, acks } = write;
    let claim = Change { key: key.clone(), precondition: precondition.clone(), operation: Operation::Claim };
    let changes = vec![Change { key, precondition, operation }, claim];
    match engine.write_together(Batch { changes, acks }).await {
        Ok(mut stored) => {
            let (Some(claimed), Some(put)) = (stored.pop(), stored.pop()) else {
                unreachable!("each change has a result")
            };
            Ok(Stored { existed: put.existed, ..claimed })
        }
        Err(BatchFailure::Failed { failure, .. }) => Err(failure),
        Err(BatchFailure::SeveralShards) => unreachable!("one key is in one shard"),
    }
}

fn content_type(headers: &HeaderMap) -> Result<Box<str>, Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Box::default()) };
    media_type::check(value.to_str().unwrap_or("\0"))
}
