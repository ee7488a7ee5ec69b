//! The app's HTTP API, on loopback and on a Unix socket.
//!
//! ```text
//! PUT GET HEAD DELETE  /v1/maps/{map}/entries/{key}   ?acks=0|n|majority|all ?ttl=30s ?init=true ?claim=true  ?siblings=true
//! POST                 /v1/maps/{map}/entries/{key}:take | :touch | :increment | :claim | :release | :confirm
//! GET                  /v1/maps/{map}/entries         ?prefix= ?limit= ?cursor= ?values=true|plain ?order=asc|desc
//! GET                  /v1/maps/{map}/keys            also of keys that have fields only
//! GET POST             /v1/maps/{map}/counters/{key}  ?by=
//! GET DELETE           /v1/maps/{map}/hashes/{key}    all fields; each of them at /{field}, like an entry
//! GET DELETE           /v1/maps/{map}/sets/{key}      all members; each of them at /{member}: GET PUT DELETE
//! GET                  /v1/maps/{map}/presences/{topic}   who is there; each of them at /{key}: GET PUT DELETE
//! POST                 /v1/batch
//! GET                  /v1/owned                      ?limit= ?cursor= ?values=
//! GET                  /v1/watch                      ?map= ?prefix= ?events= ?session=; server-sent events
//! GET                  /v1/members, /v1/status, /openapi.json
//! ```
//!
//! The key is everything after `entries/`, slashes included, percent-decoded once: any 1 to 1024 bytes. Every error is
//! JSON with a code, a message and what to do.

mod action;
mod batch;
mod body;
mod condition;
mod count;
mod counter;
mod document;
mod entry;
mod error;
mod hash;
mod list;
mod openapi;
mod owned;
mod path;
mod presence;
mod query;
mod read;
mod set;
mod status;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use baton_telemetry::{Listener, ServerLimits, serve_http};

use crate::engine::Engine;
use crate::metric::Metrics;
use crate::problem::Problem;
use body::BodyBudget;
pub(crate) use status::StatusReport;

/// Connections of the app: one is some 20 KiB, and an app has a pool, not thousands.
const MAX_CONNECTIONS: usize = 4096;

/// How long a connection may idle. Clients' pools keep theirs for 90 s at most by custom; closing first would race with
/// a request.
const IDLE: Duration = Duration::from_secs(120);

/// How long a client may take nothing of what there is for it: one that is stopped, or whose machine is, for longer than
/// any pause of a garbage collector.
const STALL: Duration = Duration::from_secs(30);

/// What handlers share.
struct Api {
    engine: Arc<Engine>,
    bodies: BodyBudget,
}

type Shared = State<Arc<Api>>;

/// Serves the app until the future is dropped.
pub(crate) async fn serve(engine: Arc<Engine>, listener: impl Listener, metrics: Arc<Metrics>) {
    let limits = ServerLimits { connections: MAX_CONNECTIONS, idle: IDLE, stall: STALL };
    serve_http(listener, router(engine, metrics), limits).await;
}

/// Each path with what can be done there.
fn routes() -> Vec<(&'static str, MethodRouter<Arc<Api>>)> {
    let entry = || get(read::get).put(entry::put).delete(entry::delete).post(action::post).fallback(action::other);
    let member = || get(read::get).put(set::add).delete(entry::delete);
    vec![
        ("/v1/maps/{map}/keys", get(list::keys)),
        ("/v1/maps/{map}/entries", get(list::entries)),
        ("/v1/maps/{map}/entries/", entry()),
        ("/v1/maps/{map}/entries/{*key}", entry()),
        ("/v1/maps/{map}/counters/{*key}", get(counter::get).post(counter::post)),
        ("/v1/maps/{map}/hashes/{key}", get(list::fields).delete(hash::clear)),
        ("/v1/maps/{map}/hashes/{key}/", entry()),
        ("/v1/maps/{map}/hashes/{key}/{*field}", entry()),
        ("/v1/maps/{map}/sets/{key}", get(list::members).delete(hash::clear)),
        ("/v1/maps/{map}/sets/{key}/", member()),
        ("/v1/maps/{map}/sets/{key}/{*member}", member()),
        ("/v1/maps/{map}/presences/{topic}", get(presence::list)),
        ("/v1/maps/{map}/presences/{topic}/{*key}", get(presence::get).put(presence::put).delete(presence::delete)),
        ("/v1/batch", post(batch::post)),
        ("/v1/owned", get(owned::get)),
        ("/v1/watch", get(watch::get)),
        ("/v1/members", get(status::members)),
        ("/v1/status", get(status::get)),
        ("/openapi.json", get(openapi::get)),
    ]
}

/// The API.
fn router(engine: Arc<Engine>, metrics: Arc<Metrics>) -> Router {
    let api = Arc::new(Api { engine, bodies: BodyBudget::new() });
    let routes = routes().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    routes
        .fallback(unknown_path)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(metrics, count::requests))
        .with_state(api)
}

async fn unknown_path(uri: Uri) -> Problem {
    error::unknown_path(uri.path())
}

async fn method_not_allowed() -> Problem {
    error::method_not_allowed()
}

#[cfg(test)]
mod tests;
