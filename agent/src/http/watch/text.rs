//! Events as text: encoded once, however many watch.

use baton_replica::{Change, Key, ReplicaId, State, Token};
use bytes::Bytes;
use serde::Serialize;

use crate::engine::{Event, MemberStatus, Position, What};
use crate::http::document::{Show, ValueDocument};
use crate::http::path;
use crate::http::presence::{self, Crowd};
use crate::http::status::MemberReport;
use crate::presence::{Diff, Shown};

/// Something that happened to a key or a field.
#[derive(Serialize)]
struct KeyDocument<'a> {
    map: &'a str,
    /// Percent-encoded, as it goes into a path.
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// In changes: what was there, null if nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<Option<ValueDocument>>,
    /// What is there now, null if nothing is.
    new: Option<ValueDocument>,
    /// The fencing token that this pod has got, or does not have any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

#[derive(Serialize)]
struct MembersDocument {
    membership: u64,
    members: Vec<MemberReport>,
}

/// Who has come to a topic, and who has gone.
#[derive(Serialize)]
struct DiffDocument<'a> {
    map: &'a str,
    /// Percent-encoded, as it goes into a path.
    topic: String,
    joins: Crowd,
    leaves: Crowd,
}

#[derive(Serialize)]
struct StartDocument {
    replica: String,
}

#[derive(Serialize)]
struct ResyncDocument {
    reason: &'static str,
}

/// An event.
pub(super) fn of(event: &Event) -> Bytes {
    event.text.get_or_init(|| encode(event)).clone()
}

/// What an event means for who is there: empty if nobody has come or gone.
pub(super) fn diff(event: &Event) -> Bytes {
    let encode = || match &event.what {
        What::Change(change) => Diff::of(change).map_or_else(Bytes::new, |diff| encode_diff(event.position, &diff)),
        What::Adopted { .. } | What::Released { .. } | What::Members { .. } => Bytes::new(),
    };
    event.diff.get_or_init(encode).clone()
}

/// The beginning of a watch.
pub(super) fn start(seen: Position, me: ReplicaId) -> Bytes {
    block(seen, "start", &StartDocument { replica: me.to_string() })
}

/// Something was lost.
pub(super) fn resync(seen: Position, reason: &'static str) -> Bytes {
    block(seen, "resync", &ResyncDocument { reason })
}

/// How far the client is, and that the agent is there. Clients keep the id, and see no event.
pub(super) fn position(seen: Position) -> Bytes {
    format!("id: {seen}\n\n").into()
}

fn encode(event: &Event) -> Bytes {
    let (at, me) = (event.position, event.me);
    match &event.what {
        What::Change(Change { key, before, after }) => {
            let old = Some(before.as_ref().map(|state| value(state, me)));
            block(at, "change", &KeyDocument { old, new: after.as_ref().map(|state| value(state, me)), ..name(key) })
        }
        What::Adopted { key, state, token } => {
            block(at, "adopted", &KeyDocument { new: Some(value(state, me)), token: shown(*token), ..name(key) })
        }
        What::Released { key, state, token } => {
            let new = state.as_ref().map(|state| value(state, me));
            block(at, "released", &KeyDocument { new, token: shown(*token), ..name(key) })
        }
        What::Members { number, members } => {
            let members = members.iter().cloned().map(|member: MemberStatus| member.into()).collect();
            block(at, "members", &MembersDocument { membership: *number, members })
        }
    }
}

fn encode_diff(at: Position, diff: &Diff<'_>) -> Bytes {
    let crowd = |shown: &Option<Shown>| {
        let mut crowd = Crowd::new();
        shown.iter().for_each(|shown| presence::add(&mut crowd, shown));
        crowd
    };
    let (map, topic) = (diff.at.map(), path::encode(diff.at.name()));
    let document = DiffDocument { map, topic, joins: crowd(&diff.joined), leaves: crowd(&diff.left) };
    block(at, "presence", &document)
}

fn name(key: &Key) -> KeyDocument<'_> {
    KeyDocument {
        map: key.map(),
        key: path::encode(key.name()),
        field: key.field().map(path::encode),
        old: None,
        new: None,
        token: None,
    }
}

fn value(state: &State, me: ReplicaId) -> ValueDocument {
    ValueDocument::new(&state.value, &state.tag, state.owner.as_ref(), state.expires_at, me, Show::Plain)
}

fn shown(token: Token) -> Option<String> {
    Some(token.to_string())
}

fn block(at: Position, kind: &str, data: &impl Serialize) -> Bytes {
    // Those of values are escaped; between the tokens of JSON that somebody has put they are spaces.
    let data = serde_json::to_string(data).unwrap_or_default().replace(['\n', '\r'], " ");
    format!("id: {at}\nevent: {kind}\ndata: {data}\n\n").into()
}
