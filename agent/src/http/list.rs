//! Lists of a map's entries, page by page.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use baton_replica::Listed;
use serde::Serialize;

use crate::http::Shared;
use crate::http::path;
use crate::http::query::Query;
use crate::problem::Problem;

/// Entries of one page, if the client does not say.
const DEFAULT_LIMIT: usize = 100;

/// The most entries of one page.
const MAX_LIMIT: usize = 1000;

/// Bytes of values after which a page ends early: the largest value is within it, and a page of many does not take
/// more memory than one write of the largest may.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// One page.
#[derive(Serialize)]
struct Page {
    entries: Vec<Row>,
    /// Passed back for the next page; null on the last.
    cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    /// Percent-encoded, as it goes into a path.
    key: String,
    etag: String,
    content_type: String,
    size: usize,
    /// In base64, if asked for.
    value: Option<String>,
}

/// `GET /v1/maps/{map}/entries`: in the order of the keys' bytes.
pub(super) async fn list(State(api): Shared, uri: Uri) -> Result<Json<impl Serialize>, Problem> {
    let map = path::map_of(&uri)?;
    let query = Query::of(&uri, &["prefix", "limit", "cursor", "values"])?;
    let limit = query.number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let values = query.flag("values")?;
    let after = query.bytes("cursor").map(key_of_cursor).transpose()?;
    let prefix = query.bytes("prefix").unwrap_or_default();
    // One more than asked for tells whether there is a next page.
    let listed = api.engine.list(&map, prefix, after.as_deref(), limit + 1)?;
    Ok(Json(page(&listed, limit, values)))
}

fn page(listed: &[Listed], limit: usize, values: bool) -> Page {
    let mut bytes = 0;
    let fits = |listed: &&Listed| {
        let full = bytes > PAGE_BYTES;
        bytes += listed.read.value.body.len();
        !(full && values)
    };
    let shown: Vec<&Listed> = listed.iter().take(limit).take_while(fits).collect();
    let more = shown.len() < listed.len();
    let last = shown.last().filter(|_| more);
    Page {
        cursor: last.map(|last| URL_SAFE_NO_PAD.encode(last.key.name())),
        entries: shown.into_iter().filter_map(|listed| row(listed, values)).collect(),
    }
}

fn row(listed: &Listed, values: bool) -> Option<Row> {
    let value = &listed.read.value;
    Some(Row {
        key: path::encode(listed.key.name()),
        etag: format!("\"{}\"", listed.read.tag),
        content_type: value.content_type.to_string(),
        size: value.body.len(),
        value: values.then(|| STANDARD.encode(&value.body)),
    })
}

fn key_of_cursor(cursor: &[u8]) -> Result<Vec<u8>, Problem> {
    let hint = "pass the cursor of the last page unchanged, or none for the first";
    URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Problem::invalid("bad_cursor", "this is no cursor of this API", hint))
}
