//! What changes, as a stream.

use std::sync::Arc;

use baton_api as api;
use baton_api::event::What as Told;
use baton_replica::{Change, Key, MapName, WriteError};
use futures_util::{Stream, StreamExt, stream};
use tonic::Status;

use crate::engine::{Engine, Event, News, Watcher, What};
use crate::grpc::{convert, presence, request};
use crate::presence::{Visit, is_presence};
use crate::problem::Problem;

/// Keys of one map or all.
struct Filter {
    map: Option<MapName>,
    prefix: bytes::Bytes,
    /// Whether changes of who is there come as such.
    presence: bool,
    /// Holds a session open.
    _visit: Option<Visit>,
}

pub(super) fn events(
    engine: &Arc<Engine>,
    request: api::WatchRequest,
) -> Result<impl Stream<Item = Result<api::Event, Status>> + use<>, Problem> {
    let map = (!request.map.is_empty()).then(|| request::map(&request.map)).transpose()?;
    if map.is_none() && !request.prefix.is_empty() {
        return Err(Problem::invalid("bad_query", "prefix goes with map", "name the map whose keys are meant"));
    }
    let session = presence::session(&request.session)?;
    if !engine.holds_state() {
        return Err(WriteError::Joining.into());
    }
    let (watcher, resumed) = engine.watch(request.after.parse().ok())?;
    let greeting = match (request.after.is_empty(), resumed) {
        (_, true) => None,
        (true, false) => Some(Told::Start(api::Start {})),
        (false, false) => Some(resync("unknown_id")),
    };
    let greeting = greeting.map(|what| Ok(api::Event { id: watcher.seen().to_string(), what: Some(what) }));
    let visit = session.map(|name| engine.sessions().enter(&name));
    let filter = Filter { map, prefix: request.prefix, presence: request.presence, _visit: visit };
    let rest = stream::unfold((watcher, filter), |(mut watcher, filter)| async move {
        let events = next(&mut watcher, &filter).await;
        Some((stream::iter(events.into_iter().map(Ok)), (watcher, filter)))
    });
    Ok(stream::iter(greeting).chain(rest.flatten()))
}

async fn next(watcher: &mut Watcher, filter: &Filter) -> Vec<api::Event> {
    loop {
        match watcher.next().await {
            News::Lost => return vec![api::Event { id: watcher.seen().to_string(), what: Some(resync("too_slow")) }],
            News::Events(events) => {
                let told: Vec<_> = events.iter().filter_map(|event| filter.told(event)).collect();
                if !told.is_empty() {
                    return told;
                }
            }
        }
    }
}

fn told(event: &Arc<Event>) -> api::Event {
    let me = event.me;
    let entry =
        |key: &Key, state: &Option<baton_replica::State>| state.as_ref().map(|state| convert::state(key, state, me));
    let what = match &event.what {
        What::Change(Change { key, before, after }) => {
            let (before, after) = (entry(key, before), entry(key, after));
            Told::Change(api::Change { key: Some(convert::key(key)), before, after })
        }
        What::Adopted { key, state, token } => {
            let entry = Some(convert::state(key, state, me));
            Told::Adopted(api::Adopted { entry, token: token.to_string() })
        }
        What::Released { key, state, token } => {
            let entry = entry(key, state);
            Told::Released(api::Released { key: Some(convert::key(key)), entry, token: token.to_string() })
        }
        What::Members { number, members } => {
            let members = members.iter().cloned().map(convert::member).collect();
            Told::Members(api::MembersResponse { membership: *number, members, me: None })
        }
    };
    api::Event { id: event.position.to_string(), what: Some(what) }
}

fn resync(reason: &str) -> Told {
    Told::Resync(api::Resync { reason: reason.to_owned() })
}

// === impl Filter ===

impl Filter {
    /// An event, if the client asks for it and it means anything for them.
    fn told(&self, event: &Arc<Event>) -> Option<api::Event> {
        if !self.lets_through(&event.what) {
            return None;
        }
        match &event.what {
            What::Change(change) if self.presence && is_presence(change) => {
                let what = Told::Presence(presence::diff(change)?);
                Some(api::Event { id: event.position.to_string(), what: Some(what) })
            }
            _ => Some(told(event)),
        }
    }

    fn lets_through(&self, what: &What) -> bool {
        let (Some(map), Some(key)) = (&self.map, what.key()) else { return true };
        key.map() == map.as_str() && key.name().starts_with(&self.prefix)
    }
}
