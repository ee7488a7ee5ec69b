//! Presence: who is there, and for how long.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use baton_replica::{Key, Listed};
use serde::Serialize;

use crate::engine::Range;
use crate::http::entry::{ACKS, told};
use crate::http::list::{PageQuery, field_cursor};
use crate::http::query::Query;
use crate::http::{Shared, path};
use crate::presence::{self, DEFAULT_REFERENCE, Meta, Shown, Tie, Track};
use crate::problem::Problem;
use crate::ttl;

/// All presences of one key.
#[derive(Default, Serialize)]
pub(super) struct Metas {
    metas: Vec<Meta>,
}

/// Who is there, by key.
pub(super) type Crowd = BTreeMap<String, Metas>;

/// One page of a topic.
#[derive(Serialize)]
struct Presences {
    presences: Crowd,
    /// Passed back for the next page; null on the last.
    cursor: Option<String>,
}

/// What has been said.
#[derive(Serialize)]
struct Said {
    #[serde(rename = "ref")]
    reference: String,
    phx_ref: String,
}

/// Adds one presence to those of its key.
pub(super) fn add(crowd: &mut Crowd, shown: &Shown) {
    crowd.entry(path::encode(&shown.key)).or_default().metas.push(shown.document());
}

/// `PUT …/presences/{topic}/{key}`: 201 if they were not there before, 200 if they were.
pub(super) async fn put(State(api): Shared, uri: Uri, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let who = path::key(&uri)?;
    let query = Query::of(&uri, &["acks", "ttl", "session", "ref", "linger"])?;
    let (acks, session) = (query.acks()?, session(&query)?);
    let key = named(&who, reference(&query, session.as_deref())?)?;
    let tie = Tie::of(session, query.expires_at()?, linger(&query)?)?;
    let body = api.bodies.read(&headers, body, api.engine.max_value_bytes(&key)).await?;
    let meta = presence::meta(&body)?;
    drop(body);
    let tracked = presence::track(&api.engine, Track { key, meta, tie, acks }).await?;
    let status = if tracked.existed { StatusCode::OK } else { StatusCode::CREATED };
    let said = tracked.shown.map(|Shown { reference, phx_ref, .. }| Said { reference, phx_ref });
    Ok((status, [(ACKS, HeaderValue::from(tracked.acks))], Json(said)).into_response())
}

/// `DELETE …/presences/{topic}/{key}`: 204, or 404 if they were not there.
pub(super) async fn delete(State(api): Shared, uri: Uri) -> Result<Response, Problem> {
    let who = path::key(&uri)?;
    let query = Query::of(&uri, &["acks", "session", "ref"])?;
    let (acks, session) = (query.acks()?, session(&query)?);
    let key = named(&who, reference(&query, session.as_deref())?)?;
    let stored = presence::untrack(&api.engine, key, session.as_deref(), acks).await?;
    Ok((StatusCode::NO_CONTENT, told(&stored)).into_response())
}

/// `GET …/presences/{topic}`: who is there.
pub(super) async fn list(State(api): Shared, uri: Uri) -> Result<Json<impl Serialize>, Problem> {
    let topic = path::key(&uri)?;
    let page = PageQuery::of(&Query::of(&uri, &["limit", "cursor"])?)?;
    let listed = api.engine.fields(&topic, page.range())?;
    let (rows, last) = page.take(listed, shown);
    let mut presences = Crowd::new();
    rows.iter().flatten().for_each(|shown| add(&mut presences, shown));
    Ok(Json(Presences { presences, cursor: last.map(field_cursor) }))
}

/// `GET …/presences/{topic}/{key}`: all of theirs.
pub(super) async fn get(State(api): Shared, uri: Uri) -> Result<Json<impl Serialize>, Problem> {
    let who = path::key(&uri)?;
    Query::of(&uri, &[])?;
    let name = who.field().unwrap_or_default();
    let prefix = presence::field(name, "");
    let range = Range { prefix: &prefix, after: None, limit: usize::MAX };
    let listed = api.engine.fields(&who.without_field(), range)?;
    // A key may hold slashes too.
    let rows = listed.iter().filter_map(shown).filter(|shown| shown.key == name);
    let metas: Vec<Meta> = rows.map(|shown| shown.document()).collect();
    if metas.is_empty() {
        return Err(presence::nobody());
    }
    Ok(Json(Metas { metas }))
}

/// The session that a request names.
pub(super) fn session(query: &Query) -> Result<Option<String>, Problem> {
    query.bytes("session").map(|name| presence::name_of(name, "session")).transpose()
}

fn reference(query: &Query, session: Option<&str>) -> Result<String, Problem> {
    match query.bytes("ref") {
        Some(name) => presence::name_of(name, "ref"),
        None => Ok(session.unwrap_or(DEFAULT_REFERENCE).to_owned()),
    }
}

fn named(who: &Key, reference: String) -> Result<Key, Problem> {
    Ok(who.with_field(&presence::field(who.field().unwrap_or_default(), &reference))?)
}

fn linger(query: &Query) -> Result<Option<Duration>, Problem> {
    let Some(text) = query.bytes("linger") else { return Ok(None) };
    presence::linger_of(std::str::from_utf8(text).ok().and_then(ttl::parse)).map(Some)
}

fn shown(listed: &Listed) -> Option<Shown> {
    Shown::of(&listed.key, &listed.read.value)
}
