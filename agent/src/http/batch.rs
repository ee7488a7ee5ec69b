//! `POST /v1/batch`: several operations in one request.

mod request;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use baton_replica::{Answer, ReplicaId};
use serde::Serialize;

use crate::engine::{BatchFailure, Stored};
use crate::http::Shared;
use crate::http::document::{Show, ValueDocument, etag};
use crate::http::error::status;
use crate::http::query::Query;
use crate::problem::Problem;

/// A batch in JSON: the largest in bytes, a third more for base64, and room for keys and names.
const MAX_BODY: u64 = 24 * 1024 * 1024;

/// What a batch came to.
#[derive(Serialize)]
struct Results {
    results: Vec<ResultDocument>,
}

/// What one request came to.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultDocument {
    /// As the request alone would have been answered.
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acks: Option<u32>,
    /// A counter's new value.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<ValueDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorDocument>,
}

#[derive(Serialize)]
struct ErrorDocument {
    code: &'static str,
    message: String,
    hint: String,
}

/// Makes all of it or nothing; with `"atomic": false` what is in one shard, as one, and the rest on its own.
pub(super) async fn post(State(api): Shared, uri: Uri, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    Query::of(&uri, &[])?;
    let body = api.bodies.read(&headers, body, MAX_BODY).await?;
    let request::Parsed { batch, atomic } = request::parse(&body)?;
    drop(body);
    let me = api.engine.replica();
    let results = if atomic {
        let stored = api.engine.write_together(batch).await?;
        stored.into_iter().map(|stored| done(stored, me)).collect()
    } else {
        let results = api.engine.write_by_shard(batch).await;
        let outcome = |(at, result): (usize, Result<Stored, BatchFailure>)| match result {
            Ok(stored) => done(stored, me),
            Err(failure) => failed(Problem::in_part(at, failure)),
        };
        results.into_iter().enumerate().map(outcome).collect()
    };
    Ok(Json(Results { results }).into_response())
}

fn done(stored: Stored, me: ReplicaId) -> ResultDocument {
    let Stored { tag, existed, written, answer, acks } = stored;
    let status = match (existed, written) {
        (true, _) => StatusCode::OK,
        (false, true) => StatusCode::CREATED,
        (false, false) => StatusCode::NOT_FOUND,
    };
    let mut document = ResultDocument {
        status: status.as_u16(),
        etag: tag.as_ref().map(etag),
        acks: written.then_some(acks),
        ..ResultDocument::default()
    };
    match answer {
        Answer::Count(value) => document.value = Some(value),
        Answer::Token(token) => document.token = Some(token.to_string()),
        Answer::Taken(Some(read)) => {
            let expires_at = read.expires_at();
            let value = ValueDocument::new(&read.value, &read.tag, read.owner.as_ref(), expires_at, me, Show::Plain);
            document.taken = Some(value);
        }
        Answer::Taken(None) | Answer::Nothing => {}
    }
    document
}

fn failed(problem: Problem) -> ResultDocument {
    let error = ErrorDocument { code: problem.code, message: problem.message, hint: problem.hint.into_owned() };
    ResultDocument {
        status: status(problem.kind).as_u16(),
        etag: problem.tag.as_deref().map(etag),
        error: Some(error),
        ..ResultDocument::default()
    }
}
