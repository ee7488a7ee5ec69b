//! Presence: who is there, and for how long.

use std::sync::Arc;

use baton_api as api;
use baton_replica::{Change, Key};
use bytes::Bytes;

use crate::engine::{Engine, Range};
use crate::grpc::{list, request};
use crate::presence::{self, DEFAULT_REFERENCE, Diff, Shown, Tie, Track};
use crate::problem::Problem;
use crate::ttl;

pub(super) async fn track(engine: &Arc<Engine>, request: api::TrackRequest) -> Result<api::TrackResult, Problem> {
    let api::TrackRequest { seat, meta, session, ttl_millis, linger_millis, acks } = request;
    let session = self::session(&session)?;
    let key = key(seat, session.as_deref())?;
    let linger = linger_millis.map(|millis| presence::linger_of(ttl::of_millis(millis))).transpose()?;
    let tie = Tie::of(session, request::expires_at(ttl_millis)?, linger)?;
    let (meta, acks) = (presence::meta(meta.as_bytes())?, request::acks(acks)?);
    let tracked = presence::track(engine, Track { key, meta, tie, acks }).await?;
    Ok(api::TrackResult { existed: tracked.existed, present: tracked.shown.map(present), acks: tracked.acks })
}

pub(super) async fn untrack(engine: &Engine, request: api::UntrackRequest) -> Result<api::UntrackResult, Problem> {
    let api::UntrackRequest { seat, session, acks } = request;
    let session = self::session(&session)?;
    let key = key(seat, session.as_deref())?;
    let stored = presence::untrack(engine, key, session.as_deref(), request::acks(acks)?).await?;
    Ok(api::UntrackResult { acks: stored.acks })
}

pub(super) fn presences(engine: &Engine, asked: &api::PresencesRequest) -> Result<api::PresencesResponse, Problem> {
    let topic = Key::new(&request::map(&asked.map)?, &asked.topic)?;
    let limit = list::limit(asked.limit)?;
    let after = (!asked.cursor.is_empty()).then_some(&*asked.cursor);
    let mut listed = engine.fields(&topic, Range { prefix: b"", after, limit: limit + 1 })?;
    let more = listed.len() > limit;
    listed.truncate(limit);
    let last = listed.last().filter(|_| more).and_then(|row| row.key.field().map(Bytes::copy_from_slice));
    let shown = listed.iter().filter_map(|row| Shown::of(&row.key, &row.read.value));
    Ok(api::PresencesResponse { presences: shown.map(present).collect(), cursor: last.unwrap_or_default() })
}

/// What a change means for who is there, if anybody has come or gone.
pub(super) fn diff(change: &Change) -> Option<api::PresenceDiff> {
    let Diff { at, joined, left } = Diff::of(change)?;
    let topic = Bytes::copy_from_slice(at.name());
    Some(api::PresenceDiff { map: at.map().to_owned(), topic, joined: joined.map(present), left: left.map(present) })
}

/// The session that a request names.
pub(super) fn session(name: &str) -> Result<Option<String>, Problem> {
    (!name.is_empty()).then(|| presence::name_of(name.as_bytes(), "session")).transpose()
}

fn key(seat: Option<api::Seat>, session: Option<&str>) -> Result<Key, Problem> {
    let missing = || Problem::invalid("bad_key", "there is no seat", "name a map, a topic and a key");
    let api::Seat { map, topic, key, r#ref } = seat.ok_or_else(missing)?;
    let reference = match &*r#ref {
        "" => session.unwrap_or(DEFAULT_REFERENCE).to_owned(),
        name => presence::name_of(name.as_bytes(), "ref")?,
    };
    if key.is_empty() {
        return Err(missing());
    }
    let topic = Key::new(&request::map(&map)?, &topic)?;
    Ok(topic.with_field(&presence::field(&key, &reference))?)
}

fn present(shown: Shown) -> api::Present {
    let Shown { key, reference, phx_ref, meta } = shown;
    let meta = serde_json::to_string(&meta).unwrap_or_default();
    api::Present { key: key.into(), r#ref: reference, phx_ref, meta }
}
