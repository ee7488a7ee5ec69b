//! Parts of values. The value is one: of two pods that change it at the same time, one is lost, as with SET.

use baton_replica::{Key, Operation, Read, Value};
use bytes::Bytes;

use crate::engine::{MAX_VALUE_BYTES, Turn};
use crate::redis::call::Call;
use crate::redis::command::string::text_of;
use crate::redis::failure::Failure;
use crate::redis::table::{Command, Flags, Keys};

pub(super) const COMMANDS: &[Command] = &[
    Command { name: "append", arity: 3, flags: Flags::WRITE.and(Flags::FAST), keys: Keys::FIRST, run: append },
    Command { name: "setrange", arity: 4, flags: Flags::WRITE, keys: Keys::FIRST, run: setrange },
    Command { name: "getrange", arity: 4, flags: Flags::READ, keys: Keys::FIRST, run: getrange },
    Command { name: "substr", arity: 4, flags: Flags::READ, keys: Keys::FIRST, run: getrange },
];

fn append(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let tail = call.arguments.get(2);
    let length = call.state.turn([&key], |turn| {
        let read = text_of(turn, &key)?;
        let before = read.as_ref().map_or(&[][..], |read| &read.value.body);
        check_length(before.len() + tail.len())?;
        let body = [before, tail].concat();
        replace(turn, &key, read, body)
    })?;
    call.reply.integer(length as i64);
    Ok(())
}

fn setrange(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, offset) = (call.key(1)?, call.integer(2)?);
    let offset = usize::try_from(offset).map_err(|_| Failure::text("ERR offset is out of range"))?;
    let part = call.arguments.get(3);
    let length = call.state.turn([&key], |turn| {
        let read = text_of(turn, &key)?;
        let mut body = read.as_ref().map(|read| read.value.body.to_vec()).unwrap_or_default();
        if part.is_empty() {
            return Ok(body.len());
        }
        let end = offset.saturating_add(part.len());
        check_length(end)?;
        body.resize(body.len().max(end), 0);
        body[offset..end].copy_from_slice(part);
        replace(turn, &key, read, body)
    })?;
    call.reply.integer(length as i64);
    Ok(())
}

fn getrange(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, first, last) = (call.key(1)?, call.integer(2)?, call.integer(3)?);
    let read = call.state.turn([&key], |turn| text_of(turn, &key))?;
    let body = read.map(|read| read.value.body).unwrap_or_default();
    call.reply.bulk(part(&body, first, last));
    Ok(())
}

/// From one byte to another, which is included; below zero they count from the end.
fn part(body: &[u8], first: i64, last: i64) -> &[u8] {
    let length = body.len() as i64;
    let from_start = |at: i64| if at < 0 { at.saturating_add(length).max(0) } else { at };
    if first < 0 && last < 0 && first > last {
        return &[];
    }
    let (first, last) = (from_start(first), from_start(last).min(length - 1));
    if first > last { &[] } else { &body[first as usize..=last as usize] }
}

/// Puts what a value has become; all else of it stays. Says how long it is.
fn replace(turn: &mut Turn<'_>, key: &Key, read: Option<Read>, body: Vec<u8>) -> Result<usize, Failure> {
    let length = body.len();
    let expires_at = read.as_ref().and_then(Read::expires_at);
    let content_type = read.map(|read| read.value.content_type).unwrap_or_default();
    let value = Value { content_type, body: Bytes::from(body) };
    turn.write(key, Operation::Put { value, expires_at })?;
    Ok(length)
}

/// Before so much is made.
fn check_length(bytes: usize) -> Result<(), Failure> {
    if bytes as u64 <= MAX_VALUE_BYTES {
        return Ok(());
    }
    Err(Failure::text("ERR string exceeds maximum allowed size (proto-max-bulk-len)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_counted_from_either_end() {
        let body = b"This is a string";
        assert_eq!(part(body, 0, 3), b"This");
        assert_eq!(part(body, -3, -1), b"ing");
        assert_eq!(part(body, 0, -1), body);
        assert_eq!(part(body, 10, 100), b"string");
        assert_eq!((part(body, 5, 3), part(body, 100, 200), part(b"", 0, -1)), (&b""[..], &b""[..], &b""[..]));
        assert_eq!(part(body, i64::MIN, i64::MAX), body);
        assert_eq!(part(body, -1, -3), b"");
    }
}
