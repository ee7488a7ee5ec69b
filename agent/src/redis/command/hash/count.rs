//! Numbers in hashes.

use baton_replica::{Answer, Key, Operation};
use baton_resp::{format_double, parse_double};

use crate::engine::Turn;
use crate::redis::call::Call;
use crate::redis::failure::Failure;
use crate::redis::kind::{self, Kind};

/// Whole numbers up to here are exact, as floating-point numbers and as integers.
const LARGEST_WHOLE: f64 = (1_u64 << 53) as f64;

const NOT_AN_INTEGER: Failure = Failure::text("ERR hash value is not an integer");
const NOT_A_FLOAT: Failure = Failure::text("ERR hash value is not a float");

/// `HINCRBY key field increment`: what several pods add at once all counts.
pub(super) fn add(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let name = call.arguments.get(2);
    let by = call.integer(3)?;
    let sum = call.state.turn([&key], |turn| {
        let read = Kind::Hash.field(turn, &key, name)?;
        if read.as_ref().is_some_and(|read| read.value.integer().is_none()) {
            return Err(NOT_AN_INTEGER);
        }
        increment(turn, &key, &key.with_field(name)?, read.is_some(), "", by)
    })?;
    call.reply.integer(sum);
    Ok(())
}

/// Adds to a field; one that is new begins at 0, with the deadline of the others.
pub(in crate::redis::command) fn increment(
    turn: &mut Turn<'_>,
    key: &Key,
    field: &Key,
    exists: bool,
    content_type: &str,
    by: i64,
) -> Result<i64, Failure> {
    let mut changes = Vec::with_capacity(2);
    if !exists {
        // It loses to what another pod has put already, and is of the right kind if none has.
        let expires_at = turn.deadline(key)?;
        changes.push((field.clone(), Operation::Init { value: kind::value(content_type, "0"), expires_at }));
    }
    changes.push((field.clone(), Operation::Increment(by)));
    let done = turn.write_together(changes)?;
    match done.last().map(|done| &done.answer) {
        Some(Answer::Count(sum)) => Ok(*sum),
        _ => unreachable!("an increment answers with the sum"),
    }
}

/// `HINCRBYFLOAT key field increment`. Whole numbers are added as HINCRBY does; with a fraction it reads, adds and puts: of
/// two pods that do so at the same time, one is lost.
pub(super) fn add_float(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let (name, by) = (call.arguments.get(2), call.double(3)?);
    let sum = call.state.turn([&key], |turn| {
        let read = Kind::Hash.field(turn, &key, name)?;
        let before = match &read {
            Some(read) => parse_double(&read.value.body).ok_or(NOT_A_FLOAT)?,
            None => 0.0,
        };
        let after = before + by;
        if !after.is_finite() {
            return Err(Failure::text("ERR increment would produce NaN or Infinity"));
        }
        let field = key.with_field(name)?;
        let counts = read.as_ref().is_none_or(|read| read.value.integer().is_some());
        if let Some(by) = whole(by).filter(|_| counts) {
            let sum = increment(turn, &key, &field, read.is_some(), "", by)?;
            return Ok(sum.to_string().into_bytes());
        }
        let mut text = Vec::new();
        format_double(after, &mut text);
        let operation = kind::put(turn, &key, &field, kind::value("", text.clone()))?;
        turn.write(&field, operation)?;
        Ok(text)
    })?;
    call.reply.bulk(&sum);
    Ok(())
}

/// The integer that a number is, if it is one that both hold exactly.
pub(in crate::redis::command) fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= LARGEST_WHOLE).then_some(number as i64)
}
