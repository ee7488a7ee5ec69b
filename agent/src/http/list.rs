//! Lists of keys, entries, fields and members, page by page.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use baton_replica::{Key, Listed, MAX_KEY_BYTES, ReplicaId};
use serde::Serialize;

use crate::collection::is_member;
use crate::engine::{Order, Range};
use crate::http::Shared;
use crate::http::document::{Show, ValueDocument};
use crate::http::path;
use crate::http::query::Query;
use crate::problem::Problem;

/// Rows of one page, if the client does not say.
const DEFAULT_LIMIT: usize = 100;

/// The most rows of one page.
const MAX_LIMIT: usize = 1000;

/// Bytes of values after which a page ends early: the largest value is within it, and a page of many does not take
/// more memory than one write of the largest may.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// One page of entries.
#[derive(Serialize)]
struct Entries {
    entries: Vec<Row>,
    /// Passed back for the next page; null on the last.
    cursor: Option<String>,
}

/// One page of keys, or members.
#[derive(Serialize)]
struct Names {
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<String>>,
    cursor: Option<String>,
}

/// One page of fields.
#[derive(Serialize)]
struct Fields {
    fields: Vec<Row>,
    cursor: Option<String>,
}

/// A key or a field, and what is there.
#[derive(Serialize)]
pub(super) struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<String>,
    /// Percent-encoded, as it goes into a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(flatten)]
    value: ValueDocument,
}

/// What a request for a page asks for.
pub(super) struct PageQuery {
    prefix: Vec<u8>,
    after: Option<Vec<u8>>,
    pub(super) limit: usize,
    pub(super) show: Show,
}

/// `GET /v1/maps/{map}/entries`: in the order of the keys' bytes, or the opposite one.
pub(super) async fn entries(State(api): Shared, uri: Uri) -> Result<Json<impl Serialize>, Problem> {
    let map = path::map_of(&uri)?;
    let query = Query::of(&uri, &["prefix", "limit", "cursor", "values", "order"])?;
    let (page, order) = (PageQuery::of(&query)?, order(&query)?);
    let listed = api.engine.list(&map, page.range(), order)?;
    let me = api.engine.replica();
    let (entries, last) = page.take(listed, |listed| Row::of_key(listed, page.show, me));
    Ok(Json(Entries { entries, cursor: last.map(|last| cursor(last.key.name())) }))
}

/// `GET /v1/maps/{map}/keys`: also of keys that have fields only.
pub(super) async fn keys(State(api): Shared, uri: Uri) -> Result<Json<impl Serialize>, Problem> {
    let map = path::map_of(&uri)?;
    let page = PageQuery::of(&Query::of(&uri, &["prefix", "limit", "cursor"])?)?;
    let mut names = api.engine.names(&map, page.range())?;
    let more = names.len() > page.limit;
    names.truncate(page.limit);
    let last = names.last().filter(|_| more).map(|last| cursor(last.name()));
    let keys = names.iter().map(|key| path::encode(key.name())).collect();
    Ok(Json(Names { keys: Some(keys), members: None, cursor: last }))
}

/// `GET /v1/maps/{map}/hashes/{key}`.
pub(super) async fn fields(State(api): Shared, uri: Uri) -> Result<Json<impl Serialize>, Problem> {
    let key = path::key(&uri)?;
    let page = PageQuery::of(&Query::of(&uri, &["prefix", "limit", "cursor", "values"])?)?;
    let listed = api.engine.fields(&key, page.range())?;
    let me = api.engine.replica();
    let (fields, last) = page.take(listed, |listed| Row::of_field(listed, page.show, me));
    Ok(Json(Fields { fields, cursor: last.map(field_cursor) }))
}

/// `GET /v1/maps/{map}/sets/{key}`.
pub(super) async fn members(State(api): Shared, uri: Uri) -> Result<Json<impl Serialize>, Problem> {
    let key = path::key(&uri)?;
    let page = PageQuery::of(&Query::of(&uri, &["prefix", "limit", "cursor"])?)?;
    let listed = api.engine.fields(&key, page.range())?;
    let (members, last) = page.take(listed, |listed| {
        let member = listed.key.field().filter(|_| is_member(&listed.read.value));
        member.map(path::encode)
    });
    let members = members.into_iter().flatten().collect();
    Ok(Json(Names { keys: None, members: Some(members), cursor: last.map(field_cursor) }))
}

// === impl PageQuery ===

impl PageQuery {
    pub(super) fn of(query: &Query) -> Result<Self, Problem> {
        let after = query.bytes("cursor").map(key_of_cursor).transpose()?;
        Ok(Self { after, ..Self::without_cursor(query)? })
    }

    pub(super) fn without_cursor(query: &Query) -> Result<Self, Problem> {
        let limit = query.number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        let prefix = query.prefix()?.to_vec();
        Ok(Self { prefix, after: None, limit, show: show(query)? })
    }

    /// One more than asked for tells whether there is a next page.
    pub(super) fn range(&self) -> Range<'_> {
        Range { prefix: &self.prefix, after: self.after.as_deref(), limit: self.limit + 1 }
    }

    /// The rows of the page, and the last of them if more follow.
    pub(super) fn take<T>(&self, listed: Vec<Listed>, row: impl Fn(&Listed) -> T) -> (Vec<T>, Option<Listed>) {
        let mut bytes = 0;
        let mut fits = |listed: &Listed| {
            let full = bytes > PAGE_BYTES && self.show != Show::Nothing;
            bytes += listed.read.value.body.len();
            !full
        };
        let shown = listed.iter().take(self.limit).take_while(|listed| fits(listed)).count();
        let rows = listed[..shown].iter().map(row).collect();
        let last = (shown < listed.len()).then(|| listed.into_iter().nth(shown.saturating_sub(1))).flatten();
        (rows, last)
    }
}

// === impl Row ===

impl Row {
    fn of_key(listed: &Listed, show: Show, me: ReplicaId) -> Self {
        Self { map: None, key: Some(path::encode(listed.key.name())), field: None, value: value(listed, show, me) }
    }

    /// A row of a list over all maps.
    pub(super) fn of_any(listed: &Listed, show: Show, me: ReplicaId) -> Self {
        let row = Self::of_key(listed, show, me);
        Self { map: Some(listed.key.map().to_owned()), field: listed.key.field().map(path::encode), ..row }
    }

    fn of_field(listed: &Listed, show: Show, me: ReplicaId) -> Self {
        Self { map: None, key: None, field: listed.key.field().map(path::encode), value: value(listed, show, me) }
    }
}

fn value(listed: &Listed, show: Show, me: ReplicaId) -> ValueDocument {
    let read = &listed.read;
    ValueDocument::new(&read.value, &read.tag, read.owner.as_ref(), read.expires_at(), me, show)
}

fn show(query: &Query) -> Result<Show, Problem> {
    match query.bytes("values") {
        None | Some(b"false") => Ok(Show::Nothing),
        Some(b"true") => Ok(Show::Base64),
        Some(b"plain") => Ok(Show::Plain),
        Some(_) => {
            let hint = "write true for values in base64, plain for JSON and text as they are, or false for none";
            Err(Problem::invalid("bad_query", "values is none of true, plain and false", hint))
        }
    }
}

fn order(query: &Query) -> Result<Order, Problem> {
    match query.bytes("order") {
        None | Some(b"asc") => Ok(Order::Forward),
        Some(b"desc") => Ok(Order::Back),
        Some(_) => Err(Problem::invalid("bad_query", "order is neither asc nor desc", "write asc or desc")),
    }
}

/// What names the last row of a page.
pub(super) fn cursor(last: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

pub(super) fn field_cursor(last: Listed) -> String {
    cursor(Key::field(&last.key).unwrap_or_default())
}

fn key_of_cursor(cursor: &[u8]) -> Result<Vec<u8>, Problem> {
    let key = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|key| key.len() <= MAX_KEY_BYTES);
    key.ok_or_else(bad_cursor)
}

pub(super) fn bad_cursor() -> Problem {
    let hint = "pass the cursor of the last page unchanged, or none for the first";
    Problem::invalid("bad_cursor", "this is no cursor of this API", hint)
}
