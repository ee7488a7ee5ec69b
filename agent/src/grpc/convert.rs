//! From what is stored to messages.

use baton_api as api;
use baton_replica::{Answer, Key, Owner, Read, ReplicaId, State, Token, Value};

use crate::engine::{MemberStatus, Stored};

pub(super) fn key(key: &Key) -> api::Key {
    api::Key {
        map: key.map().to_owned(),
        key: bytes::Bytes::copy_from_slice(key.name()),
        field: key.field().map(bytes::Bytes::copy_from_slice),
    }
}

/// What was read; `me` is this replica.
pub(super) fn entry(at: &Key, read: Read, me: ReplicaId) -> api::Entry {
    api::Entry {
        key: Some(key(at)),
        version: read.tag.to_string(),
        expires_at: read.expires_at(),
        owner: read.owner.as_ref().and_then(|owner| self::owner(owner, me)),
        count: read.counter.or_else(|| read.value.integer()),
        siblings: read.value_count() as u32,
        value: Some(value(read.value)),
    }
}

/// What was there when something changed.
pub(super) fn state(at: &Key, state: &State, me: ReplicaId) -> api::Entry {
    api::Entry {
        key: Some(key(at)),
        version: state.tag.to_string(),
        expires_at: state.expires_at,
        owner: state.owner.as_ref().and_then(|owner| self::owner(owner, me)),
        count: state.value.integer(),
        siblings: 0,
        value: Some(value(state.value.clone())),
    }
}

pub(super) fn result(at: &Key, stored: Stored, me: ReplicaId) -> api::WriteResult {
    let Stored { tag, existed, written, answer, acks } = stored;
    let version = tag.map(|tag| tag.to_string()).unwrap_or_default();
    let mut result = api::WriteResult { existed, written, version, acks, ..api::WriteResult::default() };
    match answer {
        Answer::Nothing => {}
        Answer::Taken(read) => result.taken = read.map(|read| entry(at, read, me)),
        Answer::Count(count) => result.count = Some(count),
        Answer::Token(token) => result.token = Some(token.to_string()),
    }
    result
}

pub(super) fn member(member: MemberStatus) -> api::Member {
    api::Member {
        replica: member.replica.to_string(),
        pod: member.pod,
        phase: format!("{:?}", member.phase),
        linked: member.linked,
    }
}

fn owner(owner: &Owner, me: ReplicaId) -> Option<api::Owner> {
    let (replica, token) = (owner.replica?, Token::of(owner)?);
    let confirmed = owner.confirmed;
    Some(api::Owner { replica: replica.to_string(), token: token.to_string(), confirmed, mine: replica == me })
}

fn value(value: Value) -> api::Value {
    api::Value { body: value.body, content_type: value.content_type.into() }
}
