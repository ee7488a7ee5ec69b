//! Presence: who is where at the moment, as entries that end by themselves.
//!
//! A topic is a key, and each presence a field of it: who it is, and which of their several (a tab, a device). One is tied
//! to the pod at whose agent it was said, or to a session there, which is a watch that an app holds open: then that pod
//! owns it. Or it has a deadline, which whoever is present moves on.

mod diff;
mod fate;
mod request;
mod session;
mod tend;

use std::collections::BTreeMap;

use baton_replica::{Key, Value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::Xxh3Default;

use crate::collection::PRESENCE;
use crate::problem::Problem;

pub(crate) use diff::{Diff, is_presence};
pub(crate) use request::{Tie, Track, linger_of, name_of, nobody, track, untrack};
pub(crate) use session::{Sessions, Visit};
pub(crate) use tend::tend;

/// What tells apart those of one key, if nobody says.
pub(crate) const DEFAULT_REFERENCE: &str = "default";

/// What an app says of a presence: a JSON object.
pub(crate) type Meta = BTreeMap<String, Box<RawValue>>;

/// What is stored of a presence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Presence {
    pub(crate) meta: Meta,
    /// What it ends with; nothing if a deadline does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) home: Option<Home>,
}

/// Where a presence lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Home {
    /// The replica of the agent.
    pub(crate) agent: String,
    /// Its pod, by UID, or by name outside of Kubernetes.
    pub(crate) pod: String,
    /// The session there; the pod itself if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<String>,
    /// How long it stays after that has ended.
    #[serde(default)]
    pub(crate) linger_millis: u64,
}

/// One presence, as clients see it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// Who it is.
    pub(crate) key: Vec<u8>,
    /// Which of theirs.
    pub(crate) reference: String,
    /// Changes with what is told, and with nothing else. Clients of Phoenix go by it.
    pub(crate) phx_ref: String,
    pub(crate) meta: Meta,
}

// === impl Presence ===

impl Presence {
    /// What a value is, if it is one.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        if &*value.content_type != PRESENCE {
            return None;
        }
        serde_json::from_slice(&value.body).ok()
    }

    pub(crate) fn to_value(&self) -> Value {
        Value { content_type: PRESENCE.into(), body: serde_json::to_vec(self).unwrap_or_default().into() }
    }
}

// === impl Shown ===

impl Shown {
    /// What a key's field holds, if it is a presence.
    pub(crate) fn of(key: &Key, value: &Value) -> Option<Self> {
        let (who, reference) = parts(key.field()?)?;
        let Presence { meta, .. } = Presence::of(value)?;
        Some(Self { key: who.to_vec(), reference: reference.to_owned(), phx_ref: phx_ref(reference, &meta), meta })
    }

    /// What is told of it, with both of its names.
    pub(crate) fn document(&self) -> Meta {
        let names = [("ref", &self.reference), ("phx_ref", &self.phx_ref)];
        let text = |text: &str| serde_json::value::to_raw_value(text).ok();
        let names = names.into_iter().filter_map(|(name, value)| Some((name.to_owned(), text(value)?)));
        self.meta.clone().into_iter().chain(names).collect()
    }
}

/// What an app says of a presence: a JSON object, or nothing.
pub(crate) fn meta(text: &[u8]) -> Result<Meta, Problem> {
    let hint = "send a JSON object of your own, such as {\"status\": \"away\"}, or nothing";
    let wrong = |message: &str| Problem::invalid("bad_body", message, hint);
    if text.is_empty() {
        return Ok(Meta::new());
    }
    let text = std::str::from_utf8(text).map_err(|_| wrong("what is told of a presence is no UTF-8"))?;
    // Between the tokens of JSON line breaks are spaces, and inside of them there are none.
    let meta = serde_json::from_str::<Meta>(&text.replace(['\n', '\r'], " "));
    let meta = meta.map_err(|_| wrong("what is told of a presence is no JSON object"))?;
    if meta.contains_key("ref") || meta.contains_key("phx_ref") {
        return Err(wrong("ref and phx_ref are names that the agent gives"));
    }
    Ok(meta)
}

/// The field of a presence.
pub(crate) fn field(key: &[u8], reference: &str) -> Vec<u8> {
    [key, b"/", reference.as_bytes()].concat()
}

/// Who a field is, and which of theirs.
fn parts(field: &[u8]) -> Option<(&[u8], &str)> {
    let slash = field.iter().rposition(|byte| *byte == b'/')?;
    Some((&field[..slash], std::str::from_utf8(&field[slash + 1..]).ok()?))
}

fn phx_ref(reference: &str, meta: &Meta) -> String {
    let mut hash = Xxh3Default::new();
    hash.update(reference.as_bytes());
    for (name, value) in meta {
        hash.update(&[0]);
        hash.update(name.as_bytes());
        hash.update(&[0]);
        hash.update(value.get().as_bytes());
    }
    format!("{:016x}", hash.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(meta: &str, home: Option<Home>) -> Presence {
        Presence { meta: super::meta(meta.as_bytes()).expect("an object"), home }
    }

    fn home() -> Home {
        Home { agent: "07".into(), pod: "a".into(), session: Some("s".into()), linger_millis: 5 }
    }

    #[test]
    fn what_is_stored_is_read_again() {
        for home in [None, Some(home()), Some(Home { session: None, ..home() })] {
            let value = presence("{\"n\": 12345678901234567890123,\n\"x\":[1, 2]}", home.clone()).to_value();
            let read = Presence::of(&value).expect("a presence");
            assert_eq!((read.meta["n"].get(), read.meta["x"].get()), ("12345678901234567890123", "[1, 2]"));
            assert_eq!(read.home, home);
        }
    }

    #[test]
    fn what_is_told_has_a_name_that_changes_with_it_alone() {
        let of = |meta| Shown {
            key: b"ann".to_vec(),
            reference: "tab".into(),
            phx_ref: phx_ref("tab", &presence(meta, None).meta),
            meta: Meta::new(),
        };
        assert_eq!(of(r#"{"a":1,"b":2}"#).phx_ref, of(r#"{"b":2, "a":1}"#).phx_ref);
        assert_ne!(of(r#"{"a":1}"#).phx_ref, of(r#"{"a":2}"#).phx_ref);
    }

    #[test]
    fn a_field_is_a_key_and_a_reference() {
        assert_eq!(parts(&field(b"a/b", "tab-1")), Some((b"a/b".as_slice(), "tab-1")));
        assert_eq!(parts(b"nobody"), None);
    }

    #[test]
    fn what_is_no_object_or_takes_names_of_the_agent_is_refused() {
        for text in ["[]", "1", "{", "{\"ref\":1}", "{\"phx_ref\":\"x\"}"] {
            assert!(meta(text.as_bytes()).is_err(), "{text}");
        }
        assert!(meta(b"").is_ok_and(|meta| meta.is_empty()));
    }
}
