//! What apps ask: to say that somebody is there, or not any more.

use std::time::Duration;

use baton_replica::{AckLevel, Key, Operation};

use crate::engine::{Batch, BatchFailure, Change, Engine, Precondition, Stored, Tags, Write};
use crate::presence::{Home, Meta, Presence, Shown};
use crate::problem::{Kind, Problem};

/// The longest that a presence stays after what it was tied to: by then nobody comes back to it.
const LONGEST_LINGER: Duration = Duration::from_secs(3600);

/// The longest name of a session, or of one of several presences of a key.
const MAX_NAME_BYTES: usize = 64;

/// What a presence ends with.
#[derive(Clone, Debug)]
pub(crate) enum Tie {
    /// The pod of this agent, and so many milliseconds later.
    Pod { linger: u64 },
    /// A session of this agent.
    Session { name: String, linger: u64 },
    /// A deadline in Unix milliseconds.
    Deadline(u64),
}

/// Somebody is there.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    /// The topic, and the field of the presence.
    pub(crate) key: Key,
    pub(crate) meta: Meta,
    pub(crate) tie: Tie,
    pub(crate) acks: Option<AckLevel>,
}

/// What has been said.
pub(crate) struct Tracked {
    /// Whether it was said before.
    pub(crate) existed: bool,
    pub(crate) shown: Option<Shown>,
    pub(crate) acks: u32,
}

// === impl Tie ===

impl Tie {
    /// What a request says: a session, a time to live, or nothing, which means the pod.
    pub(crate) fn of(
        session: Option<String>,
        expires_at: Option<u64>,
        linger: Option<Duration>,
    ) -> Result<Self, Problem> {
        let linger_millis = linger.map_or(0, |linger| linger.as_millis() as u64);
        match (session, expires_at) {
            (Some(_), Some(_)) => {
                let hint = "name the session, or say how long it lives and say it again in time";
                Err(Problem::invalid("bad_query", "a presence ends with a session, or by its ttl, not by both", hint))
            }
            (None, Some(_)) if linger.is_some() => {
                let hint = "add the one to the other";
                Err(Problem::invalid("bad_query", "what ends by its ttl does not linger", hint))
            }
            (None, Some(expires_at)) => Ok(Self::Deadline(expires_at)),
            (Some(name), None) => Ok(Self::Session { name, linger: linger_millis }),
            (None, None) => Ok(Self::Pod { linger: linger_millis }),
        }
    }
}

/// How long a presence is to stay after what it was tied to.
pub(crate) fn linger_of(linger: Option<Duration>) -> Result<Duration, Problem> {
    let wrong = || Problem::invalid("bad_ttl", "linger is no time, or more than an hour", "write 10s, or 1h at most");
    linger.filter(|linger| *linger <= LONGEST_LINGER).ok_or_else(wrong)
}

/// The name of a session, or of one of several presences of a key.
pub(crate) fn name_of(text: &[u8], what: &'static str) -> Result<String, Problem> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let good = !text.is_empty() && text.len() <= MAX_NAME_BYTES && text.iter().all(allowed);
    let hint = "use 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'";
    let wrong = || Problem::invalid("bad_query", format!("{what} is no name"), hint);
    String::from_utf8(text.to_vec()).ok().filter(|_| good).ok_or_else(wrong)
}

/// Says that somebody is there, or tells something else of them. Saying the same again changes nothing for who watches.
pub(crate) async fn track(engine: &Engine, track: Track) -> Result<Tracked, Problem> {
    let Track { key, meta, tie, acks } = track;
    let (session, linger) = match &tie {
        Tie::Pod { linger } => (None, *linger),
        Tie::Session { name, linger } => (Some(name.clone()), *linger),
        Tie::Deadline(_) => (None, 0),
    };
    let expires_at = if let Tie::Deadline(at) = tie { Some(at) } else { None };
    let home = expires_at.is_none().then(|| home(engine, session.clone(), linger));
    if let Some(session) = &session {
        if !engine.sessions().is_open(session) {
            return Err(no_session());
        }
        engine.sessions().tie(session, key.clone());
    }
    let value = Presence { meta, home }.to_value();
    let shown = Shown::of(&key, &value);
    let batch = put(key.clone(), value, expires_at, Precondition::default());
    let stored = engine.write_together(Batch { acks, ..batch }).await.map_err(plain)?;
    // It may have ended since.
    if let Some(session) = &session {
        engine.sessions().tie(session, key);
    }
    let first = stored.first();
    let acks = stored.iter().map(|stored| stored.acks).max().unwrap_or_default();
    Ok(Tracked { existed: first.is_some_and(|put| put.existed), shown, acks })
}

/// Says that somebody is not there any more; if a session is named, only if they are tied to that.
pub(crate) async fn untrack(
    engine: &Engine,
    key: Key,
    session: Option<&str>,
    acks: Option<AckLevel>,
) -> Result<Stored, Problem> {
    let read = engine.get(&key)?.ok_or_else(nobody)?;
    let presence = Presence::of(&read.value).ok_or_else(nobody)?;
    let tied = presence.home.and_then(|home| home.session);
    if session.is_some() && tied.as_deref() != session {
        return Err(nobody());
    }
    if let Some(tied) = &tied {
        engine.sessions().untie(tied, &key);
    }
    let is = session.map(|_| Tags::Listed(vec![read.tag]));
    let precondition = Precondition { is, ..Precondition::default() };
    Ok(engine.write(Write { key, precondition, operation: Operation::Delete, acks }).await?)
}

/// What lives here, as it is stored.
pub(super) fn home(engine: &Engine, session: Option<String>, linger_millis: u64) -> Home {
    Home { agent: engine.replica().to_string(), pod: pod(engine).to_owned(), session, linger_millis }
}

/// What names the pod of an agent.
pub(super) fn pod(engine: &Engine) -> &str {
    let identity = engine.identity();
    if identity.pod_uid.is_empty() { &identity.pod_name } else { &identity.pod_uid }
}

/// Puts a presence. This pod owns what has no deadline, and nobody the rest: no departure ends it.
pub(super) fn put(key: Key, value: baton_replica::Value, expires_at: Option<u64>, precondition: Precondition) -> Batch {
    let owner = if expires_at.is_none() { Operation::Claim } else { Operation::Release };
    let put = Change { key: key.clone(), precondition, operation: Operation::Put { value, expires_at } };
    let owner = Change { key, precondition: Precondition::default(), operation: owner };
    Batch { changes: vec![put, owner], acks: None }
}

/// Both changes are of one presence, which is all that the client knows of.
fn plain(failure: BatchFailure) -> Problem {
    match failure {
        BatchFailure::Failed { failure, .. } => failure.into(),
        BatchFailure::SeveralShards => unreachable!("one field is in one shard"),
    }
}

/// Nobody is there by that name.
pub(crate) fn nobody() -> Problem {
    let hint = "they were never said to be there, or have left; look at the topic";
    Problem::new(Kind::NotFound, "not_found", "they are not there", hint)
}

fn no_session() -> Problem {
    let hint = "open a watch with ?session= at this agent first, and keep it open";
    Problem::new(Kind::Conflict, "no_session", "there is no such session at this agent", hint)
}
