//! Values and owners in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_replica::{Owner, ReplicaId, Tag, Token, Value};
use serde::Serialize;
use serde_json::value::RawValue;

/// What is stored under a key or a field.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ValueDocument {
    pub(super) etag: String,
    pub(super) content_type: String,
    pub(super) size: usize,
    /// If asked for.
    #[serde(flatten)]
    pub(super) body: Option<Body>,
    /// In Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<OwnerDocument>,
}

/// The bytes of a value, in the form that suits them.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Body {
    /// In base64, whatever it is.
    Value(String),
    /// What is JSON and says so.
    Json(Box<RawValue>),
    /// Other text.
    Text(String),
    /// Other bytes.
    Base64(String),
}

/// Who owns a key.
#[derive(Serialize)]
pub(super) struct OwnerDocument {
    replica: String,
    token: String,
    /// Whether its app has said that it runs what the key stands for.
    confirmed: bool,
    /// Whether it is the pod of this agent.
    mine: bool,
}

/// How bodies are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    Nothing,
    Base64,
    Plain,
}

// === impl ValueDocument ===

impl ValueDocument {
    /// Something read; `me` is this replica.
    pub(super) fn new(
        value: &Value,
        tag: &Tag,
        owner: Option<&Owner>,
        expires_at: Option<u64>,
        me: ReplicaId,
        show: Show,
    ) -> Self {
        Self {
            etag: etag(tag),
            content_type: value.content_type.to_string(),
            size: value.body.len(),
            body: Body::of(value, show),
            expires_at,
            owner: owner.and_then(|owner| OwnerDocument::of(owner, me)),
        }
    }
}

// === impl Body ===

impl Body {
    /// A value as it is to be shown.
    fn of(value: &Value, show: Show) -> Option<Self> {
        match show {
            Show::Nothing => None,
            Show::Base64 => Some(Self::Value(STANDARD.encode(&value.body))),
            Show::Plain => Some(Self::plain(value)),
        }
    }

    fn plain(value: &Value) -> Self {
        let Ok(text) = std::str::from_utf8(&value.body) else { return Self::Base64(STANDARD.encode(&value.body)) };
        let json = is_json(&value.content_type).then(|| one_line(text)).flatten();
        json.map_or_else(|| Self::Text(text.to_owned()), Self::Json)
    }
}

// === impl OwnerDocument ===

impl OwnerDocument {
    /// `None` if nobody owns it any more.
    fn of(owner: &Owner, me: ReplicaId) -> Option<Self> {
        let (replica, token) = (owner.replica?, Token::of(owner)?);
        let confirmed = owner.confirmed;
        Some(Self { replica: replica.to_string(), token: token.to_string(), confirmed, mine: replica == me })
    }
}

/// A tag as an ETag.
pub(super) fn etag(tag: &Tag) -> String {
    format!("\"{tag}\"")
}

/// JSON without line breaks, so that it fits into one line of an event. Between its tokens they are spaces, and inside of
/// them there are none.
fn one_line(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.replace(['\n', '\r'], " ")).ok()
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(content_type: &str, body: &'static [u8]) -> String {
        let value = Value { content_type: content_type.into(), body: body.into() };
        serde_json::to_string(&Body::plain(&value)).expect("JSON")
    }

    #[test]
    fn a_value_is_shown_in_the_form_that_suits_it() {
        let big = b"{\n \"n\": 12345678901234567890123\r\n}";
        assert_eq!(plain("application/json; charset=utf-8", big), r#"{"json":{  "n": 12345678901234567890123  }}"#);
        assert_eq!(plain("application/vnd.cart+json", b"[]"), r#"{"json":[]}"#);
        assert_eq!(plain("application/json", b"[1,"), r#"{"text":"[1,"}"#);
        assert_eq!(plain("", b"a\nb"), r#"{"text":"a\nb"}"#);
        assert_eq!(plain("text/plain", b"\xff"), r#"{"base64":"/w=="}"#);
        let deep = "[".repeat(100_000).into_bytes().leak();
        assert!(plain("application/json", deep).starts_with(r#"{"text":"[["#));
    }
}
