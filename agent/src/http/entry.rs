//! Writes of one entry.

use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use baton_replica::{AckLevel, Condition, Key, Value, WriteError};

use crate::engine::{Engine, Stored, WriteFailure};
use crate::http::condition::{Preconditions, quoted, unchanged};
use crate::http::error::ApiError;
use crate::http::path;
use crate::http::query::Query;
use crate::http::{Api, Shared};
use crate::metric::Operation;

/// How many other members had applied the write when it was answered.
const ACKS: HeaderName = HeaderName::from_static("baton-acks");

/// The longest media type that is kept with a value.
const MAX_CONTENT_TYPE: usize = 255;

/// How often a condition of several tags is decided anew because the key changed meanwhile. A client that gets 412 then
/// does what it does on any other change.
const ATTEMPTS: usize = 16;

/// A write and how many acknowledgements it waits for.
struct Write {
    key: Key,
    change: Change,
    acks: Option<AckLevel>,
}

enum Change {
    Put(Value),
    Delete,
}

/// `PUT`: 201 if the key had no value, 200 if it had.
pub(super) async fn put(State(api): Shared, uri: Uri, headers: HeaderMap, body: Body) -> Result<Response, ApiError> {
    let key = path::key(&uri)?;
    let acks = Query::of(&uri, &["acks"])?.acks()?;
    let preconditions = Preconditions::of(&headers)?;
    let content_type = content_type(&headers)?;
    let body = api.bodies.read(&headers, body, api.engine.max_value_bytes(&key)).await?;
    let write = Write { key, change: Change::Put(Value { content_type, body }), acks };
    let stored = write.run(&api, &preconditions).await?.ok_or_else(ApiError::not_found)?;
    let status = if stored.existed { StatusCode::OK } else { StatusCode::CREATED };
    let headers = [(ETAG, quoted(&stored.tag)), (ACKS, HeaderValue::from(stored.acks))];
    Ok((status, headers).into_response())
}

/// `DELETE`: 204, or 404 if the key had no value.
pub(super) async fn delete(State(api): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    let key = path::key(&uri)?;
    let acks = Query::of(&uri, &["acks"])?.acks()?;
    let preconditions = Preconditions::of(&headers)?;
    let write = Write { key, change: Change::Delete, acks };
    let stored = write.run(&api, &preconditions).await?.ok_or_else(ApiError::not_found)?;
    Ok((StatusCode::NO_CONTENT, [(ACKS, HeaderValue::from(stored.acks))]).into_response())
}

// === impl Write ===

impl Write {
    /// Makes the write, if the preconditions allow it. `None` if there was nothing to delete.
    async fn run(&self, api: &Api, preconditions: &Preconditions) -> Result<Option<Stored>, WriteFailure> {
        let began = Instant::now();
        let result = match preconditions.simple() {
            Some(condition) => self.attempt(&api.engine, &condition).await,
            None => self.compare_and_write(&api.engine, preconditions).await,
        };
        let operation = match self.change {
            Change::Put(_) => Operation::Put,
            Change::Delete => Operation::Delete,
        };
        api.metrics.wrote(operation, result.as_ref().err(), began.elapsed());
        result
    }

    /// The engine knows only simple conditions. Any other is decided for the present version, and the write is made if
    /// that is still there.
    async fn compare_and_write(
        &self,
        engine: &Engine,
        preconditions: &Preconditions,
    ) -> Result<Option<Stored>, WriteFailure> {
        let mut current = engine.get(&self.key)?.map(|read| read.tag);
        for _ in 0..ATTEMPTS {
            if !preconditions.allow(current.as_ref()) {
                break;
            }
            match self.attempt(engine, &unchanged(current)).await {
                Err(WriteFailure::Refused(WriteError::Condition { current: changed })) => current = changed,
                done => return done,
            }
        }
        Err(WriteError::Condition { current }.into())
    }

    async fn attempt(&self, engine: &Engine, condition: &Condition) -> Result<Option<Stored>, WriteFailure> {
        match &self.change {
            Change::Put(value) => engine.put(&self.key, value.clone(), condition, self.acks).await.map(Some),
            Change::Delete => engine.delete(&self.key, condition, self.acks).await,
        }
    }
}

fn content_type(headers: &HeaderMap) -> Result<Box<str>, ApiError> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Box::default()) };
    let text = value.to_str().ok().filter(|text| text.len() <= MAX_CONTENT_TYPE);
    let hint = format!("send at most {MAX_CONTENT_TYPE} visible ASCII characters, such as application/json");
    let error = || ApiError::bad("bad_content_type", "the Content-Type cannot be kept", hint);
    text.map(Box::from).ok_or_else(error)
}
