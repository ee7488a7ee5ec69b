//! Counters: what several pods add to at once, with no addition lost; INCRBYFLOAT is none.

use baton_replica::{Answer, Operation, Value};
use baton_resp::format_double;
use bytes::Bytes;

use crate::redis::call::Call;
use crate::redis::command::string::{check_text, text_of};
use crate::redis::failure::Failure;
use crate::redis::table::{Command, Flags, Keys};

pub(super) const COMMANDS: &[Command] = &[
    command("incr", 2, |call| add(call, 1)),
    command("decr", 2, |call| add(call, -1)),
    command("incrby", 3, |call| {
        let by = call.integer(2)?;
        add(call, by)
    }),
    command("decrby", 3, |call| {
        let by = call.integer(2)?.checked_neg().ok_or(Failure::text("ERR decrement would overflow"))?;
        add(call, by)
    }),
    command("incrbyfloat", 3, add_float),
];

const fn command(name: &'static str, arity: i16, run: fn(&mut Call<'_>) -> Result<(), Failure>) -> Command {
    Command { name, arity, flags: Flags::WRITE.and(Flags::FAST), keys: Keys::FIRST, run }
}

fn add(call: &mut Call<'_>, by: i64) -> Result<(), Failure> {
    let key = call.key(1)?;
    let answer = call.state.turn([&key], |turn| {
        check_text(turn, &key)?;
        Ok::<_, Failure>(turn.write(&key, Operation::Increment(by))?.answer)
    })?;
    let Answer::Count(count) = answer else { unreachable!("an increment answers with the sum") };
    call.reply.integer(count);
    Ok(())
}

/// Reads, adds and puts: of two pods that do so at the same time, one is lost. Its deadline stays.
fn add_float(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, by) = (call.key(1)?, call.double(2)?);
    let text = call.state.turn([&key], |turn| {
        let read = text_of(turn, &key)?;
        let before = match &read {
            Some(read) => baton_resp::parse_double(&read.value.body).ok_or(Failure::NotAFloat)?,
            None => 0.0,
        };
        let after = before + by;
        if !after.is_finite() {
            return Err(Failure::text("ERR increment would produce NaN or Infinity"));
        }
        let mut text = Vec::new();
        format_double(after, &mut text);
        let (content_type, expires_at) =
            read.map(|read| (read.value.content_type.clone(), read.expires_at())).unwrap_or_default();
        let text = Bytes::from(text);
        let value = Value { content_type, body: text.clone() };
        turn.write(&key, Operation::Put { value, expires_at })?;
        Ok(text)
    })?;
    call.reply.bulk(&text);
    Ok(())
}
