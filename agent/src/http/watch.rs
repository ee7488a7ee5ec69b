//! `GET /v1/watch`: what changes, as server-sent events.

mod filter;
mod text;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use baton_replica::WriteError;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use tokio::time::{Instant, timeout_at};

use crate::engine::{Event, Kind, News, Watcher};
use crate::http::query::Query;
use crate::http::{Shared, presence};
use crate::presence::Visit;
use crate::problem::Problem;
use filter::Filter;

/// How often something is sent at least: proxies and clients take a connection for dead that is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Bytes of events that are sent in one go, unless one has more alone.
const CHUNK_BYTES: usize = 16 * 1024;

/// One client's events.
struct Events {
    watcher: Watcher,
    filter: Filter,
    pending: VecDeque<Arc<Event>>,
    sent_at: Instant,
    /// Holds a session open.
    _visit: Option<Visit>,
}

/// Streams events until the client goes.
pub(super) async fn get(State(api): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let query = Query::of(&uri, &["map", "prefix", "events", "session"])?;
    let (filter, session) = (Filter::of(&query)?, presence::session(&query)?);
    if !api.engine.holds_state() {
        return Err(WriteError::Joining.into());
    }
    let asked = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let seen = asked.and_then(|id| id.parse().ok());
    let (watcher, resumed) = api.engine.watch(seen)?;
    let greeting = match (asked, resumed) {
        (_, true) => Bytes::new(),
        (None | Some(""), false) => text::start(watcher.seen(), api.engine.replica()),
        (Some(_), false) => text::resync(watcher.seen(), "unknown_id"),
    };
    let visit = session.map(|name| api.engine.sessions().enter(&name));
    let events = Events { watcher, filter, pending: VecDeque::new(), sent_at: Instant::now(), _visit: visit };
    let rest = stream::unfold((greeting, events), |(greeting, mut events)| async move {
        let chunk = if greeting.is_empty() { events.next().await } else { greeting };
        Some((Ok::<_, std::convert::Infallible>(chunk), (Bytes::new(), events)))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(rest)).into_response())
}

// === impl Events ===

impl Events {
    /// What is to be sent next.
    async fn next(&mut self) -> Bytes {
        loop {
            let chunk = self.chunk();
            let silent_until = self.sent_at + KEEP_ALIVE;
            if !chunk.is_empty() || (self.pending.is_empty() && silent_until <= Instant::now()) {
                self.sent_at = Instant::now();
                // A client whose filter lets nothing through must know how far it is, too.
                return if chunk.is_empty() { text::position(self.watcher.seen()) } else { chunk };
            }
            match timeout_at(silent_until, self.watcher.next()).await {
                Ok(News::Events(events)) => self.pending.extend(events),
                Ok(News::Lost) => return text::resync(self.watcher.seen(), "too_slow"),
                Err(_) => {}
            }
        }
    }

    /// Takes events that are there, those that the client asks for.
    fn chunk(&mut self) -> Bytes {
        let mut first = Bytes::new();
        let mut chunk = BytesMut::new();
        while first.len().max(chunk.len()) < CHUNK_BYTES {
            let Some(event) = self.pending.pop_front() else { break };
            let text = match self.filter.kind(&event.what) {
                None => continue,
                Some(Kind::Presence) => text::diff(&event),
                Some(_) => text::of(&event),
            };
            if first.is_empty() {
                first = text;
                continue;
            }
            if chunk.is_empty() {
                chunk.extend_from_slice(&first);
            }
            chunk.extend_from_slice(&text);
        }
        // One alone is not copied: it may be large, and sent to many.
        if chunk.is_empty() { first } else { chunk.freeze() }
    }
}
