//! Counters: what several pods add to at once, with no addition lost.

use axum::Json;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use baton_replica::{Answer, Key, Operation, Refusal};
use serde::Serialize;

use crate::engine::Write;
use crate::http::condition::{precondition, quoted};
use crate::http::entry::told;
use crate::http::query::Query;
use crate::http::{Api, Shared, path};
use crate::problem::Problem;

/// A counter's value.
#[derive(Serialize)]
struct Count {
    value: i64,
}

/// `GET …/counters/{key}`.
pub(super) async fn get(State(api): Shared, uri: Uri) -> Result<Response, Problem> {
    let key = path::key(&uri)?;
    Query::of(&uri, &[])?;
    let read = api.engine.get(&key)?.ok_or_else(Problem::not_found)?;
    let value = read.counter.or_else(|| read.value.integer()).ok_or(Refusal::NotAnInteger)?;
    Ok(([(ETAG, quoted(&read.tag))], Json(Count { value })).into_response())
}

/// `POST …/counters/{key}?by=`: 201 if it began here, 200 if it was there.
pub(super) async fn post(State(api): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let key = path::key(&uri)?;
    increment(&api, key, &uri, &headers).await
}

/// Adds to a key or a field.
pub(super) async fn increment(api: &Api, key: Key, uri: &Uri, headers: &HeaderMap) -> Result<Response, Problem> {
    let query = Query::of(uri, &["acks", "by"])?;
    let by = query.integer("by")?.unwrap_or(1);
    let precondition = precondition(headers)?;
    let stored =
        api.engine.write(Write { key, precondition, operation: Operation::Increment(by), acks: query.acks()? });
    let stored = stored.await?;
    let status = if stored.existed { StatusCode::OK } else { StatusCode::CREATED };
    let headers = told(&stored);
    let Answer::Count(value) = stored.answer else { unreachable!("an increment answers with the sum") };
    Ok((status, headers, Json(Count { value })).into_response())
}
