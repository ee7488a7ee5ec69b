//! Values as a whole: SET and GET, and what is made of them.

use baton_replica::{Answer, Key, Operation, Read, Value};
use baton_resp::Encoder;
use bytes::Bytes;

use crate::engine::{Turn, wall_millis};
use crate::redis::call::Call;
use crate::redis::command::expiry::expire;
use crate::redis::command::options::{Clock, Ending};
use crate::redis::failure::Failure;
use crate::redis::table::{Command, Flags, Keys};

pub(super) const COMMANDS: &[Command] = &[
    read("get", 2, Keys::FIRST, get),
    read("mget", -2, Keys::ALL, mget),
    read("strlen", 2, Keys::FIRST, strlen),
    write("set", -3, Keys::FIRST, set),
    write("getdel", 2, Keys::FIRST, getdel),
    write("getex", -2, Keys::FIRST, getex),
    write("getset", 3, Keys::FIRST, getset),
    write("mset", -3, Keys::PAIRS, mset),
    write("msetnx", -3, Keys::PAIRS, msetnx),
    write("psetex", 4, Keys::FIRST, |call| setex(call, Clock { millis: 1, absolute: false })),
    write("setex", 4, Keys::FIRST, |call| setex(call, Clock { millis: 1000, absolute: false })),
    write("setnx", 3, Keys::FIRST, setnx),
];

const fn read(name: &'static str, arity: i16, keys: Keys, run: fn(&mut Call<'_>) -> Result<(), Failure>) -> Command {
    Command { name, arity, flags: Flags::READ.and(Flags::FAST), keys, run }
}

const fn write(name: &'static str, arity: i16, keys: Keys, run: fn(&mut Call<'_>) -> Result<(), Failure>) -> Command {
    Command { name, arity, flags: Flags::WRITE, keys, run }
}

/// When SET writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum When {
    #[default]
    Always,
    Absent,
    Present,
}

/// What SET is told besides the value.
#[derive(Default)]
struct SetOptions {
    when: When,
    ending: Ending,
    /// It answers with what was there.
    get: bool,
}

/// What a key that is text holds; fails if it is something else.
pub(super) fn text_of(turn: &Turn<'_>, key: &Key) -> Result<Option<Read>, Failure> {
    match turn.get(key)? {
        Some(read) => Ok(Some(read)),
        None if turn.first_field(key)?.is_some() => Err(Failure::WrongType),
        None => Ok(None),
    }
}

/// Fails if a key is something else than text.
pub(super) fn check_text(turn: &Turn<'_>, key: &Key) -> Result<(), Failure> {
    if turn.has_value(key)? || turn.first_field(key)?.is_none() { Ok(()) } else { Err(Failure::WrongType) }
}

/// Puts a value in the place of whatever is there.
pub(super) fn put(turn: &mut Turn<'_>, key: &Key, value: Value, expires_at: Option<u64>) -> Result<(), Failure> {
    let done = turn.write(key, Operation::Put { value, expires_at })?;
    // What has a value has no fields, but for what two pods did at the same time.
    if !done.existed {
        turn.clear_fields(key)?;
    }
    Ok(())
}

/// A value of its own: what has come is one buffer with all else.
pub(super) fn plain(body: &[u8]) -> Value {
    Value { content_type: Box::default(), body: Bytes::copy_from_slice(body) }
}

fn get(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let read = call.state.turn([&key], |turn| text_of(turn, &key))?;
    answer(call.reply, read.as_ref());
    Ok(())
}

fn answer(reply: &mut Encoder, read: Option<&Read>) {
    match read {
        Some(read) => reply.bulk(&read.value.body),
        None => reply.null(),
    }
}

/// What is no text is null here, as in Redis.
fn mget(call: &mut Call<'_>) -> Result<(), Failure> {
    let keys = call.keys(1, 1)?;
    let reply = &mut *call.reply;
    reply.array(keys.len());
    call.state.turn(&keys, |turn| {
        for key in &keys {
            answer(reply, turn.get(key)?.as_ref());
        }
        Ok(())
    })
}

fn strlen(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let read = call.state.turn([&key], |turn| text_of(turn, &key))?;
    call.reply.integer(read.map_or(0, |read| read.value.body.len() as i64));
    Ok(())
}

fn set(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let value = plain(call.arguments.get(2));
    if call.arguments.len() == 3 {
        call.state.turn([&key], |turn| put(turn, &key, value, None))?;
        return call.ok();
    }
    let SetOptions { when, ending, get } = SetOptions::parse(call)?;
    let (stored, before) = call.state.turn([&key], |turn| {
        let before = if get { text_of(turn, &key)? } else { None };
        let wanted = match when {
            When::Always => true,
            When::Absent => !turn.exists(&key)?,
            When::Present => turn.exists(&key)?,
        };
        if wanted {
            let expires_at = match ending {
                Ending::At(at) => Some(at),
                Ending::Keep => turn.deadline(&key)?,
                Ending::Unsaid | Ending::Never => None,
            };
            put(turn, &key, value, expires_at)?;
        } else {
            turn.vouch(&key)?;
        }
        Ok::<_, Failure>((wanted, before))
    })?;
    match (get, stored) {
        (true, _) => answer(call.reply, before.as_ref()),
        (false, true) => return call.ok(),
        (false, false) => call.reply.null(),
    }
    Ok(())
}

fn setex(call: &mut Call<'_>, clock: Clock) -> Result<(), Failure> {
    let key = call.key(1)?;
    let now = wall_millis();
    let at = clock.parse(call.arguments.get(2), now, call.command.name)?;
    let at = u64::try_from(at).ok().filter(|at| *at > now).ok_or(Failure::ExpireTime(call.command.name))?;
    let value = plain(call.arguments.get(3));
    call.state.turn([&key], |turn| put(turn, &key, value, Some(at)))?;
    call.ok()
}

fn setnx(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let value = plain(call.arguments.get(2));
    let stored = call.state.turn([&key], |turn| {
        let absent = !turn.exists(&key)?;
        if absent {
            put(turn, &key, value, None)?;
        } else {
            turn.vouch(&key)?;
        }
        Ok::<_, Failure>(absent)
    })?;
    call.reply.integer(stored.into());
    Ok(())
}

fn getset(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let value = plain(call.arguments.get(2));
    let before = call.state.turn([&key], |turn| {
        let before = text_of(turn, &key)?;
        put(turn, &key, value, None)?;
        Ok::<_, Failure>(before)
    })?;
    answer(call.reply, before.as_ref());
    Ok(())
}

fn getdel(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let taken = call.state.turn([&key], |turn| {
        check_text(turn, &key)?;
        Ok::<_, Failure>(turn.write(&key, Operation::Take)?.answer)
    })?;
    match taken {
        Answer::Taken(read) => answer(call.reply, read.as_ref()),
        _ => unreachable!("a take answers with what was taken"),
    }
    Ok(())
}

fn getex(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let now = wall_millis();
    let (mut ending, mut at) = (Ending::Unsaid, 2);
    while at < call.arguments.len() {
        at += ending.take(call, at, now)?.ok_or(Failure::Syntax)?;
    }
    if ending == Ending::Keep {
        return Err(Failure::Syntax);
    }
    let read = call.state.turn([&key], |turn| {
        let Some(read) = text_of(turn, &key)? else { return Ok(None) };
        match ending {
            Ending::At(at) => expire(turn, &key, Some(at))?,
            Ending::Never if read.expires_at().is_some() => expire(turn, &key, None)?,
            Ending::Never | Ending::Unsaid | Ending::Keep => {}
        }
        Ok::<_, Failure>(Some(read))
    })?;
    answer(call.reply, read.as_ref());
    Ok(())
}

fn mset(call: &mut Call<'_>) -> Result<(), Failure> {
    let pairs = pairs(call)?;
    call.state.turn(pairs.iter().map(|(key, _)| key), |turn| put_all(turn, &pairs))?;
    call.ok()
}

fn msetnx(call: &mut Call<'_>) -> Result<(), Failure> {
    let pairs = pairs(call)?;
    let stored = call.state.turn(pairs.iter().map(|(key, _)| key), |turn| {
        for (key, _) in &pairs {
            if turn.exists(key)? {
                return Ok(false);
            }
        }
        put_all(turn, &pairs)?;
        Ok::<_, Failure>(true)
    })?;
    call.reply.integer(stored.into());
    Ok(())
}

fn pairs<'a>(call: &Call<'a>) -> Result<Vec<(Key, &'a [u8])>, Failure> {
    if call.arguments.len().is_multiple_of(2) {
        return Err(call.wrong_arity());
    }
    let values = call.arguments.from(2).step_by(2);
    Ok(call.keys(1, 2)?.into_iter().zip(values).collect())
}

/// All of them or none.
fn put_all(turn: &mut Turn<'_>, pairs: &[(Key, &[u8])]) -> Result<(), Failure> {
    let put = |(key, body): &(Key, &[u8])| {
        let operation = Operation::Put { value: plain(body), expires_at: None };
        (key.clone(), operation)
    };
    let done = turn.write_together(pairs.iter().map(put).collect())?;
    for ((key, _), _) in pairs.iter().zip(done).filter(|(_, done)| !done.existed) {
        turn.clear_fields(key)?;
    }
    Ok(())
}

// === impl SetOptions ===

impl SetOptions {
    fn parse(call: &Call<'_>) -> Result<Self, Failure> {
        let (mut options, mut at, now) = (Self::default(), 3, wall_millis());
        while at < call.arguments.len() {
            at += match options.ending.take(call, at, now)? {
                Some(_) if options.ending == Ending::Never => return Err(Failure::Syntax),
                Some(length) => length,
                None if call.is(at, "get") => {
                    options.get = true;
                    1
                }
                None if call.is(at, "nx") && options.when == When::Always => {
                    options.when = When::Absent;
                    1
                }
                None if call.is(at, "xx") && options.when == When::Always => {
                    options.when = When::Present;
                    1
                }
                None => return Err(Failure::Syntax),
            };
        }
        Ok(options)
    }
}
