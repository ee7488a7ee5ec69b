//! `GET /v1/owned`: what lives on this pod, for an app that has started again beside its agent.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use baton_replica::Key;
use serde::Serialize;

use crate::http::Shared;
use crate::http::list::{PageQuery, Row, bad_cursor, cursor};
use crate::http::query::Query;
use crate::problem::Problem;

/// One page.
#[derive(Serialize)]
struct Owned {
    owned: Vec<Row>,
    /// Passed back for the next page; null on the last.
    cursor: Option<String>,
}

/// Keys and fields of all maps that this pod owns, with their tokens.
pub(super) async fn get(State(api): Shared, uri: Uri) -> Result<Json<impl Serialize>, Problem> {
    let query = Query::of(&uri, &["limit", "cursor", "values"])?;
    let page = PageQuery::without_cursor(&query)?;
    let after = query.bytes("cursor").map(key_of_cursor).transpose()?;
    let listed = api.engine.owned(after.as_ref(), page.limit + 1)?;
    let me = api.engine.replica();
    let (owned, last) = page.take(listed, |listed| Row::of_any(listed, page.show, me));
    Ok(Json(Owned { owned, cursor: last.map(|last| cursor(last.key.as_bytes())) }))
}

fn key_of_cursor(cursor: &[u8]) -> Result<Key, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad_cursor())?;
    Key::from_wire(&bytes).map_err(|_| bad_cursor())
}
