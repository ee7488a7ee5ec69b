//! ZADD and ZINCRBY.

use std::collections::BTreeMap;

use baton_replica::{Key, Operation};
use baton_resp::parse_double;

use crate::engine::Turn;
use crate::redis::call::Call;
use crate::redis::command::sorted_set::{SORTED_SET, reply, score};
use crate::redis::failure::Failure;

/// The options of ZADD. What they ask is asked of this pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    new_only: bool,
    present_only: bool,
    greater_only: bool,
    less_only: bool,
    /// Members whose scores have changed count too.
    count_changes: bool,
    increment: bool,
}

/// What became of the members.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    added: i64,
    changed: i64,
}

/// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]`
pub(super) fn add(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let arguments = call.arguments;
    let (options, first) = Options::parse(arguments.from(2));
    let mut rest = arguments.from(2 + first);
    if rest.len() == 0 || !rest.len().is_multiple_of(2) {
        return Err(Failure::Syntax);
    }
    options.check(rest.len() / 2)?;
    let mut pairs = Vec::with_capacity(rest.len() / 2);
    while let (Some(score), Some(name)) = (rest.next(), rest.next()) {
        pairs.push((parse_double(score).ok_or(Failure::NotAFloat)?, name));
    }
    if options.increment {
        let (by, name) = pairs[0];
        let sum = call.state.turn([&key], |turn| options.add_to(turn, &key, name, by))?;
        reply::score(call.reply, sum);
        return Ok(());
    }
    let outcome = call.state.turn([&key], |turn| options.put(turn, &key, &pairs))?;
    call.reply.integer(if options.count_changes { outcome.added + outcome.changed } else { outcome.added });
    Ok(())
}

/// `ZINCRBY key increment member`
pub(super) fn increment(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let by = parse_double(call.arguments.get(2)).ok_or(Failure::NotAFloat)?;
    let name = call.arguments.get(3);
    let sum = call.state.turn([&key], |turn| Options::default().add_to(turn, &key, name, by))?;
    reply::score(call.reply, sum);
    Ok(())
}

// === impl Options ===

impl Options {
    /// The options, and how many words they are.
    fn parse<'a>(words: impl Iterator<Item = &'a [u8]>) -> (Self, usize) {
        let mut options = Self::default();
        let mut count = 0;
        for word in words {
            let option = match word.to_ascii_lowercase().as_slice() {
                b"nx" => &mut options.new_only,
                b"xx" => &mut options.present_only,
                b"gt" => &mut options.greater_only,
                b"lt" => &mut options.less_only,
                b"ch" => &mut options.count_changes,
                b"incr" => &mut options.increment,
                _ => break,
            };
            *option = true;
            count += 1;
        }
        (options, count)
    }

    fn check(self, pairs: usize) -> Result<(), Failure> {
        if self.new_only && self.present_only {
            return Err(Failure::text("ERR XX and NX options at the same time are not compatible"));
        }
        if (self.greater_only && (self.new_only || self.less_only)) || (self.less_only && self.new_only) {
            return Err(Failure::text("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.increment && pairs > 1 {
            return Err(Failure::text("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// Whether a member that has a score, or has none, is to have another.
    fn allow(self, present: Option<f64>, next: f64) -> bool {
        match present {
            None => !self.present_only,
            Some(_) if self.new_only => false,
            Some(present) => !(self.greater_only && next <= present || self.less_only && next >= present),
        }
    }

    fn put(self, turn: &mut Turn<'_>, key: &Key, pairs: &[(f64, &[u8])]) -> Result<Outcome, Failure> {
        SORTED_SET.exists(turn, key)?;
        let mut outcome = Outcome::default();
        // One member may be named twice.
        let mut made: BTreeMap<&[u8], f64> = BTreeMap::new();
        let mut changes: Vec<(Key, Operation)> = Vec::new();
        for (next, name) in pairs {
            let present = match made.get(name) {
                Some(score) => Some(*score),
                None => SORTED_SET.field(turn, key, name)?.as_ref().and_then(score::of),
            };
            if present == Some(*next) || !self.allow(present, *next) {
                turn.vouch(&key.with_field(name)?)?;
                continue;
            }
            match present {
                None => outcome.added += 1,
                Some(_) => outcome.changed += 1,
            }
            made.insert(*name, *next);
            let field = key.with_field(name)?;
            let operation = score::put(turn, key, &field, *next)?;
            changes.push((field, operation));
        }
        turn.write_together(changes)?;
        Ok(outcome)
    }

    /// The new score; `None` if the options did not allow it.
    fn add_to(self, turn: &mut Turn<'_>, key: &Key, name: &[u8], by: f64) -> Result<Option<f64>, Failure> {
        let read = SORTED_SET.field(turn, key, name)?;
        let present = read.as_ref().and_then(score::of);
        let next = present.unwrap_or_default() + by;
        if next.is_nan() {
            return Err(Failure::text("ERR resulting score is not a number (NaN)"));
        }
        let allowed = self.allow(present, next);
        if !allowed || present == Some(next) {
            turn.vouch(&key.with_field(name)?)?;
            return Ok(present.filter(|_| allowed));
        }
        score::add(turn, key, &key.with_field(name)?, read.as_ref(), by).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> (Options, usize) {
        Options::parse(text.split(' ').map(str::as_bytes))
    }

    #[test]
    fn options_end_where_scores_begin() {
        let (options, words) = parse("NX ch 1 nx");
        assert_eq!((options.new_only, options.count_changes, options.present_only, words), (true, true, false, 2));
    }

    #[test]
    fn options_that_exclude_each_other_are_refused() {
        for text in ["nx xx", "gt lt", "nx gt", "lt nx"] {
            assert!(parse(text).0.check(1).is_err(), "{text}");
        }
        assert!(parse("incr").0.check(2).is_err() && parse("xx gt ch incr").0.check(1).is_ok());
    }

    #[test]
    fn options_say_who_gets_another_score() {
        let allows = |text, present, next| parse(text).0.allow(present, next);
        assert!(allows("nx", None, 1.0) && !allows("nx", Some(1.0), 2.0));
        assert!(!allows("xx", None, 1.0) && allows("xx", Some(1.0), 2.0));
        assert!(allows("gt", Some(1.0), 2.0) && !allows("gt", Some(2.0), 2.0) && allows("gt", None, -1.0));
        assert!(allows("lt", Some(2.0), 1.0) && !allows("lt", Some(1.0), 2.0));
    }
}
