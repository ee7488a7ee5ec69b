//! A batch as clients write it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_replica::{AckLevel, MAX_BATCH, Operation, Value};
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::engine::{Batch, Change, Precondition, Tags};
use crate::http::condition;
use crate::http::error::bad_etag;
use crate::http::path;
use crate::problem::Problem;
use crate::{media_type, ttl};

/// A batch that was understood.
pub(super) struct Parsed {
    pub(super) batch: Batch,
    pub(super) atomic: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BatchText {
    #[serde(default = "yes")]
    atomic: bool,
    acks: Option<AcksText>,
    requests: Vec<RequestText>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AcksText {
    Count(u32),
    Word(String),
}

/// One of the operations, and what goes with it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestText {
    op: Op,
    map: String,
    /// Percent-encoded, as in lists.
    key: String,
    field: Option<String>,
    if_match: Option<String>,
    if_none_match: Option<String>,
    token: Option<String>,
    #[serde(default)]
    unowned: bool,
    ttl: Option<TtlText>,
    by: Option<i64>,
    content_type: Option<String>,
    #[serde(default, deserialize_with = "given")]
    json: Option<Box<RawValue>>,
    text: Option<String>,
    base64: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TtlText {
    Seconds(u64),
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    Put,
    Init,
    Delete,
    Take,
    Increment,
    Touch,
    Claim,
    Release,
    Confirm,
}

/// Understands a body, or says which request is wrong.
pub(super) fn parse(body: &[u8]) -> Result<Parsed, Problem> {
    let hint = "/openapi.json has the form of a batch";
    let text: BatchText =
        serde_json::from_slice(body).map_err(|error| Problem::invalid("bad_batch", error.to_string(), hint))?;
    if text.requests.len() > MAX_BATCH {
        let message = format!("a batch has at most {MAX_BATCH} requests");
        return Err(Problem::invalid("bad_batch", message, "send several smaller batches"));
    }
    let acks = text.acks.map(AcksText::check).transpose()?;
    let placed = |(at, request): (usize, RequestText)| {
        let at_fault = |problem: Problem| Problem {
            message: format!("request {at}: {}", problem.message),
            at: Some(at),
            ..problem
        };
        request.check().map_err(at_fault)
    };
    let changes: Result<Vec<Change>, Problem> = text.requests.into_iter().enumerate().map(placed).collect();
    Ok(Parsed { batch: Batch { changes: changes?, acks }, atomic: text.atomic })
}

const fn yes() -> bool {
    true
}

/// `null` is a value here, and not the absence of one.
fn given<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(json).map(Some)
}

// === impl AcksText ===

impl AcksText {
    fn check(self) -> Result<AckLevel, Problem> {
        match self {
            Self::Count(count) => Ok(AckLevel::Count(count)),
            Self::Word(word) if word == "majority" => Ok(AckLevel::Majority),
            Self::Word(word) if word == "all" => Ok(AckLevel::All),
            Self::Word(_) => {
                Err(Problem::invalid("bad_acks", "acks is not a level", "write a number, \"majority\" or \"all\""))
            }
        }
    }
}

// === impl RequestText ===

impl RequestText {
    fn check(mut self) -> Result<Change, Problem> {
        let key = path::parse(&self.map, &self.key, self.field.as_deref())?;
        let precondition = Precondition {
            is: self.if_match.as_deref().map(|text| tags("ifMatch", text)).transpose()?,
            is_not: self.if_none_match.as_deref().map(|text| tags("ifNoneMatch", text)).transpose()?,
            token: self.token.as_deref().map(condition::parse_token).transpose()?,
            unowned: self.unowned,
        };
        let expires_at = self.ttl.take().map(TtlText::check).transpose()?;
        let value = self.value()?;
        self.refuse_strangers(value.is_some(), expires_at.is_some())?;
        let value = || value.ok_or_else(|| wrong("there is no value", "give one of json, text and base64"));
        let operation = match self.op {
            Op::Put => Operation::Put { value: value()?, expires_at },
            Op::Init => Operation::Init { value: value()?, expires_at },
            Op::Delete => Operation::Delete,
            Op::Take => Operation::Take,
            Op::Increment => Operation::Increment(self.by.unwrap_or(1)),
            Op::Touch => Operation::Touch { expires_at },
            Op::Claim => Operation::Claim,
            Op::Release => Operation::Release,
            Op::Confirm => Operation::Confirm,
        };
        Ok(Change { key, precondition, operation })
    }

    /// What an operation does not take is refused: passing over it would promise what was not asked for.
    fn refuse_strangers(&self, has_value: bool, has_ttl: bool) -> Result<(), Problem> {
        let puts = matches!(self.op, Op::Put | Op::Init);
        let strangers = [
            (has_value || self.content_type.is_some(), puts, "a value"),
            (has_ttl, puts || self.op == Op::Touch, "ttl"),
            (self.by.is_some(), self.op == Op::Increment, "by"),
        ];
        match strangers.iter().find(|(given, taken, _)| *given && !taken) {
            Some((.., what)) => {
                Err(wrong(&format!("this operation takes no {}", what.trim_start_matches("a ")), "leave it out"))
            }
            None => Ok(()),
        }
    }

    fn value(&mut self) -> Result<Option<Value>, Problem> {
        let (body, kind) = match (self.json.take(), self.text.take(), self.base64.take()) {
            (None, None, None) => return Ok(None),
            (Some(json), None, None) => (Bytes::from(String::from(Box::<str>::from(json))), "application/json"),
            (None, Some(text), None) => (Bytes::from(text), "text/plain; charset=utf-8"),
            (None, None, Some(base64)) => {
                let bytes = STANDARD.decode(base64);
                (
                    bytes
                        .map_err(|_| wrong("base64 is not in base64", "use the standard alphabet, with padding"))?
                        .into(),
                    "",
                )
            }
            _ => return Err(wrong("there are several values", "give one of json, text and base64")),
        };
        let content_type = media_type::check(self.content_type.as_deref().unwrap_or(kind))?;
        // A value is kept for long: it must not hold more than its own bytes.
        Ok(Some(Value { content_type, body: Bytes::copy_from_slice(&body) }))
    }
}

// === impl TtlText ===

impl TtlText {
    fn check(self) -> Result<u64, Problem> {
        let text = match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Text(text) => text,
        };
        let hint = "write seconds, or a text with ms, s, m, h or d, such as \"30s\"";
        ttl::parse(&text).map(ttl::deadline).ok_or_else(|| Problem::invalid("bad_ttl", "ttl is no time to live", hint))
    }
}

fn tags(name: &str, text: &str) -> Result<Tags, Problem> {
    condition::parse(text).ok_or_else(|| bad_etag(name))
}

fn wrong(message: &str, hint: &'static str) -> Problem {
    Problem::invalid("bad_batch", message, hint)
}
