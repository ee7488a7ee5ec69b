//! Sets: keys whose fields are their members.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use baton_replica::{Operation, Value, WriteError};
use bytes::Bytes;

use crate::collection::MEMBER;
use crate::engine::{Precondition, Tags, Unmet, Write, WriteFailure};
use crate::http::Shared;
use crate::http::entry::told;
use crate::http::path;
use crate::http::query::Query;
use crate::problem::Problem;

/// `PUT …/sets/{key}/{member}`: 201 if it was added, 200 if it was there. One that is there is not written again, unless
/// it gets a new deadline.
pub(super) async fn add(State(api): Shared, uri: Uri) -> Result<Response, Problem> {
    let key = path::key(&uri)?;
    let query = Query::of(&uri, &["acks", "ttl"])?;
    let (acks, expires_at) = (query.acks()?, query.expires_at()?);
    let is_not = expires_at.is_none().then_some(Tags::Any);
    let value = Value { content_type: MEMBER.into(), body: Bytes::new() };
    let operation = Operation::Put { value, expires_at };
    let precondition = Precondition { is_not, ..Precondition::default() };
    match api.engine.write(Write { key: key.clone(), precondition, operation, acks }).await {
        Ok(stored) => {
            let status = if stored.existed { StatusCode::OK } else { StatusCode::CREATED };
            Ok((status, told(&stored)).into_response())
        }
        Err(WriteFailure::Refused(WriteError::Condition { .. }) | WriteFailure::Unmet(Unmet::Version { .. })) => {
            Ok((StatusCode::OK, told(&api.engine.vouch(&key, acks).await?)).into_response())
        }
        Err(failure) => Err(failure.into()),
    }
}
