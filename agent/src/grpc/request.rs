//! From messages to operations.

use baton_api as api;
use baton_api::acks::Level;
use baton_api::write_request::Operation as Asked;
use baton_replica::{AckLevel, Key, MapName, Operation, Tag, Value};

use crate::engine::{Change, Precondition, Tags, Write};
use crate::problem::Problem;
use crate::{media_type, ttl};

/// Versions in one condition: a client that merges siblings names a few.
const MAX_TAGS: usize = 64;

/// A key that must be there.
pub(super) fn key(key: Option<api::Key>) -> Result<Key, Problem> {
    let missing = || Problem::invalid("bad_key", "there is no key", "name a map and a key");
    let api::Key { map, key, field } = key.ok_or_else(missing)?;
    let key = Key::new(&self::map(&map)?, &key)?;
    Ok(match field {
        Some(field) => key.with_field(&field)?,
        None => key,
    })
}

pub(super) fn map(name: &str) -> Result<MapName, Problem> {
    Ok(MapName::parse(name)?)
}

/// One write.
pub(super) fn write(request: api::WriteRequest) -> Result<Write, Problem> {
    let acks = acks(request.acks)?;
    let Change { key, precondition, operation } = change(request.key, request.condition, request.operation)?;
    Ok(Write { key, precondition, operation, acks })
}

/// One write of a batch.
pub(super) fn part(request: api::WriteRequest) -> Result<Change, Problem> {
    if request.acks.is_some() {
        let message = "a request of a batch has no acks of its own";
        return Err(Problem::invalid("bad_acks", message, "ask for them for the whole batch"));
    }
    change(request.key, request.condition, request.operation)
}

/// How many acknowledgements are asked for.
pub(super) fn acks(acks: Option<api::Acks>) -> Result<Option<AckLevel>, Problem> {
    match acks.and_then(|acks| acks.level) {
        None => Ok(None),
        Some(Level::Count(count)) => Ok(Some(AckLevel::Count(count))),
        Some(Level::Majority(true)) => Ok(Some(AckLevel::Majority)),
        Some(Level::All(true)) => Ok(Some(AckLevel::All)),
        Some(Level::Majority(false) | Level::All(false)) => {
            Err(Problem::invalid("bad_acks", "acks is not a level", "leave out what is not asked for"))
        }
    }
}

fn change(key: Option<api::Key>, condition: Option<api::Condition>, asked: Option<Asked>) -> Result<Change, Problem> {
    let nothing = || Problem::invalid("bad_operation", "there is no operation", "set one of put, delete and so on");
    let operation = match asked.ok_or_else(nothing)? {
        Asked::Put(api::Put { value, ttl_millis, init }) => {
            let (value, expires_at) = (self::value(value)?, expires_at(ttl_millis)?);
            if init { Operation::Init { value, expires_at } } else { Operation::Put { value, expires_at } }
        }
        Asked::Delete(_) => Operation::Delete,
        Asked::Take(_) => Operation::Take,
        Asked::Increment(increment) => Operation::Increment(increment.by),
        Asked::Touch(touch) => Operation::Touch { expires_at: expires_at(touch.ttl_millis)? },
        Asked::Claim(_) => Operation::Claim,
        Asked::Release(_) => Operation::Release,
        Asked::Confirm(_) => Operation::Confirm,
    };
    Ok(Change { key: self::key(key)?, precondition: precondition(condition)?, operation })
}

fn value(value: Option<api::Value>) -> Result<Value, Problem> {
    let api::Value { body, content_type } = value.unwrap_or_default();
    // A value is kept for long: it must not hold the whole message that it came in.
    Ok(Value { content_type: media_type::check(&content_type)?, body: bytes::Bytes::copy_from_slice(&body) })
}

pub(super) fn expires_at(ttl_millis: Option<u64>) -> Result<Option<u64>, Problem> {
    let Some(millis) = ttl_millis else { return Ok(None) };
    let wrong = || Problem::invalid("bad_ttl", "ttl_millis is no time to live", "give 1 to a century of milliseconds");
    ttl::of_millis(millis).map(|ttl| Some(ttl::deadline(ttl))).ok_or_else(wrong)
}

fn precondition(condition: Option<api::Condition>) -> Result<Precondition, Problem> {
    let api::Condition { is, is_not, token, unowned } = condition.unwrap_or_default();
    let token = token.map(|token| token.parse()).transpose();
    let token = token.map_err(|_| {
        let hint = "pass the token of the claim, or of the adoption, unchanged";
        Problem::invalid("bad_token", "this is no fencing token", hint)
    })?;
    Ok(Precondition { is: tags(is)?, is_not: tags(is_not)?, token, unowned })
}

fn tags(text: Option<String>) -> Result<Option<Tags>, Problem> {
    let Some(text) = text else { return Ok(None) };
    if text == "*" {
        return Ok(Some(Tags::Any));
    }
    let tags: Option<Vec<Tag>> = text.split(',').map(|tag| tag.trim().parse().ok()).collect();
    let wrong = || Problem::invalid("bad_etag", "this is no version", "pass the version of an earlier answer, or *");
    tags.filter(|tags| tags.len() <= MAX_TAGS).map(|tags| Some(Tags::Listed(tags))).ok_or_else(wrong)
}
