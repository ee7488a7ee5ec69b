//! Pages of entries, keys and fields.

use baton_api as api;
use baton_replica::{Key, Listed, MAX_KEY_BYTES};
use bytes::Bytes;

use crate::engine::{Engine, Order, Range};
use crate::grpc::{convert, request};
use crate::problem::Problem;

/// Rows of one page, if the client does not say.
const DEFAULT_LIMIT: u32 = 100;

/// The most rows of one page.
const MAX_LIMIT: u32 = 1_000;

/// Bytes of values after which a page ends early: clients take messages of 4 MiB, if nobody has told them otherwise.
const PAGE_BYTES: usize = 2 * 1024 * 1024;

pub(super) fn list(engine: &Engine, request: &api::ListRequest) -> Result<api::ListResponse, Problem> {
    let map = request::map(&request.map)?;
    let limit = limit(request.limit)?;
    if request.prefix.len() > MAX_KEY_BYTES || request.cursor.len() > MAX_KEY_BYTES {
        let message = format!("no key has more than {MAX_KEY_BYTES} bytes");
        return Err(Problem::invalid("bad_query", message, "use a shorter prefix, and the cursor of the last page"));
    }
    let after = (!request.cursor.is_empty()).then_some(&*request.cursor);
    let range = Range { prefix: &request.prefix, after, limit: limit + 1 };
    if request.keys_only {
        return Ok(names(engine.names(&map, range)?, limit));
    }
    if !request.fields_of.is_empty() {
        let key = Key::new(&map, &request.fields_of)?;
        let listed = engine.fields(&key, range)?;
        return Ok(page(engine, listed, limit, |last| Bytes::copy_from_slice(last.field().unwrap_or_default())));
    }
    let order = if request.descending { Order::Back } else { Order::Forward };
    let listed = engine.list(&map, range, order)?;
    Ok(page(engine, listed, limit, |last| Bytes::copy_from_slice(last.name())))
}

pub(super) fn owned(engine: &Engine, request: &api::OwnedRequest) -> Result<api::ListResponse, Problem> {
    let limit = limit(request.limit)?;
    let wrong = |_| {
        let hint = "pass the cursor of the last page unchanged, or none for the first";
        Problem::invalid("bad_cursor", "this is no cursor of this API", hint)
    };
    let after = (!request.cursor.is_empty()).then(|| Key::from_wire(&request.cursor));
    let listed = engine.owned(after.transpose().map_err(wrong)?.as_ref(), limit + 1)?;
    Ok(page(engine, listed, limit, |last| last.as_bytes().clone()))
}

pub(super) fn limit(asked: u32) -> Result<usize, Problem> {
    match asked {
        0 => Ok(DEFAULT_LIMIT as usize),
        1..=MAX_LIMIT => Ok(asked as usize),
        _ => Err(Problem::invalid("bad_query", format!("limit is more than {MAX_LIMIT}"), "ask for less")),
    }
}

fn page(engine: &Engine, listed: Vec<Listed>, limit: usize, cursor: impl Fn(&Key) -> Bytes) -> api::ListResponse {
    let (me, count) = (engine.replica(), listed.len());
    let (mut entries, mut bytes, mut last) = (Vec::new(), 0, None);
    for Listed { key, read } in listed {
        if entries.len() == limit || bytes > PAGE_BYTES {
            break;
        }
        bytes += read.value.body.len();
        entries.push(convert::entry(&key, read, me));
        last = Some(key);
    }
    let more = entries.len() < count;
    let cursor = last.filter(|_| more).map(|last| cursor(&last)).unwrap_or_default();
    api::ListResponse { entries, cursor }
}

fn names(mut names: Vec<Key>, limit: usize) -> api::ListResponse {
    let more = names.len() > limit;
    names.truncate(limit);
    let cursor = names.last().filter(|_| more).map(|last| Bytes::copy_from_slice(last.name())).unwrap_or_default();
    let entries = names.iter().map(|key| api::Entry { key: Some(convert::key(key)), ..api::Entry::default() });
    api::ListResponse { entries: entries.collect(), cursor }
}
