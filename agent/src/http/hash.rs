//! Keys with all of their fields.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;

use crate::http::Shared;
use crate::http::path;
use crate::http::query::Query;
use crate::problem::Problem;

/// What was deleted.
#[derive(Serialize)]
struct Cleared {
    /// Values: of the fields, and of the key itself.
    deleted: usize,
}

/// `DELETE …/hashes/{key}` and `…/sets/{key}`: the key with all of its fields.
pub(super) async fn clear(State(api): Shared, uri: Uri) -> Result<Json<impl Serialize>, Problem> {
    let key = path::key(&uri)?;
    let acks = Query::of(&uri, &["acks"])?.acks()?;
    match api.engine.clear(&key, acks).await? {
        0 => Err(Problem::not_found()),
        deleted => Ok(Json(Cleared { deleted })),
    }
}
