//! `POST …/{key}:action`: what can be done to an entry besides putting and deleting it.

use axum::Json;
use axum::extract::State;
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use baton_replica::{Answer, Operation};
use serde::Serialize;

use crate::engine::{Stored, Write};
use crate::http::condition::precondition;
use crate::http::entry::told;
use crate::http::error::method_not_allowed;
use crate::http::query::Query;
use crate::http::read::winner;
use crate::http::{Shared, counter, path};
use crate::problem::Problem;

/// What can be done besides.
const ACTIONS: [&str; 6] = ["take", "touch", "increment", "claim", "release", "confirm"];

/// What an entry takes without an action.
const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,DELETE");

/// An ownership that was given.
#[derive(Serialize)]
struct Claimed {
    /// The fencing token.
    token: String,
    /// The version of the value.
    etag: Option<String>,
}

/// Does what the path's action says.
pub(super) async fn post(State(api): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let Some((key, action)) = path::key_and_action(&uri)? else { return Ok(no_action()) };
    if action == "increment" {
        return counter::increment(&api, key, &uri, &headers).await;
    }
    let known: &[&str] = match action {
        "take" | "release" | "confirm" => &["acks"],
        "touch" => &["acks", "ttl"],
        "claim" => &["acks", "unowned"],
        _ => return Ok(no_action()),
    };
    let query = Query::of(&uri, known)?;
    let operation = match action {
        "take" => Operation::Take,
        "touch" => Operation::Touch { expires_at: query.expires_at()? },
        "claim" => Operation::Claim,
        "release" => Operation::Release,
        _ => Operation::Confirm,
    };
    let mut precondition = precondition(&headers)?;
    precondition.unowned = query.flag("unowned")?;
    let stored = api.engine.write(Write { key, precondition, operation, acks: query.acks()? }).await?;
    answer(stored)
}

/// Any other method: a path that names an action takes `POST` too, for it may be a key that ends so.
pub(super) async fn other(uri: Uri) -> Response {
    let action = path::key_and_action(&uri).ok().flatten().map(|(_, action)| action);
    if action.is_some_and(|action| ACTIONS.contains(&action)) {
        method_not_allowed().into_response()
    } else {
        no_action()
    }
}

fn answer(stored: Stored) -> Result<Response, Problem> {
    let headers = told(&stored);
    if !stored.existed {
        return Err(Problem::not_found());
    }
    Ok(match stored.answer {
        Answer::Taken(Some(read)) => {
            let mut response = winner(read);
            response.headers_mut().extend(headers);
            response
        }
        Answer::Token(token) => {
            let etag = stored.tag.map(|tag| format!("\"{tag}\""));
            (headers, Json(Claimed { token: token.to_string(), etag })).into_response()
        }
        Answer::Taken(None) | Answer::Count(_) | Answer::Nothing => (StatusCode::NO_CONTENT, headers).into_response(),
    })
}

fn no_action() -> Response {
    ([(ALLOW, METHODS)], method_not_allowed()).into_response()
}
