//! ZRANGE and what it was before it could do all.

use baton_resp::parse_integer;

use crate::redis::call::Call;
use crate::redis::command::sorted_set::bound::{NameBound, ScoreBound};
use crate::redis::command::sorted_set::ranking::Span;
use crate::redis::command::sorted_set::ranking_of;
use crate::redis::command::sorted_set::reply::{self, Show};
use crate::redis::failure::Failure;

/// What the ends of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Place,
    Score,
    Name,
}

/// What a command allows its options to say.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// `None` if BYSCORE or BYLEX may say it.
    by: Option<By>,
    /// `None` if REV may say it.
    reverse: Option<bool>,
}

/// The words after the ends of a range.
#[derive(Clone, Copy, Debug)]
struct Options {
    by: By,
    reverse: bool,
    /// How many are left out, and how many follow at most; all if that is below zero.
    limit: Option<(i64, i64)>,
    with_scores: bool,
}

/// `ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`
pub(super) fn any(call: &mut Call<'_>) -> Result<(), Failure> {
    select(call, Form { by: None, reverse: None })
}

/// `ZREVRANGE key start stop [WITHSCORES]`
pub(super) fn reverse(call: &mut Call<'_>) -> Result<(), Failure> {
    select(call, Form { by: Some(By::Place), reverse: Some(true) })
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`
pub(super) fn by_score(call: &mut Call<'_>) -> Result<(), Failure> {
    select(call, Form { by: Some(By::Score), reverse: Some(false) })
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`
pub(super) fn reverse_by_score(call: &mut Call<'_>) -> Result<(), Failure> {
    select(call, Form { by: Some(By::Score), reverse: Some(true) })
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]`
pub(super) fn by_name(call: &mut Call<'_>) -> Result<(), Failure> {
    select(call, Form { by: Some(By::Name), reverse: Some(false) })
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`
pub(super) fn reverse_by_name(call: &mut Call<'_>) -> Result<(), Failure> {
    select(call, Form { by: Some(By::Name), reverse: Some(true) })
}

fn select(call: &mut Call<'_>, form: Form) -> Result<(), Failure> {
    let options = Options::parse(form, call.arguments.from(4))?;
    let (first, second) = (call.arguments.get(2), call.arguments.get(3));
    // In the reverse order, the upper end of scores and names comes first.
    let (low, high) = if options.reverse { (second, first) } else { (first, second) };
    let span = match options.by {
        By::Place => places(first, second)?,
        By::Score => scores(low, high)?,
        By::Name => names(low, high)?,
    };
    let ranking = ranking_of(call)?;
    let mut members = ranking.select(&span, options.reverse);
    if let Some((offset, count)) = options.limit {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(members.len());
        members.drain(..offset);
        members.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    }
    let show = if options.with_scores { Show::Scores } else { Show::Names };
    reply::members(call.reply, members.into_iter(), show);
    Ok(())
}

/// Ends of a range of places.
pub(super) fn places(first: &[u8], last: &[u8]) -> Result<Span, Failure> {
    let place = |text| parse_integer(text).ok_or(Failure::NotAnInteger);
    Ok(Span::Places(place(first)?, place(last)?))
}

/// Ends of a range of scores.
pub(super) fn scores(low: &[u8], high: &[u8]) -> Result<Span, Failure> {
    let bound = |text| ScoreBound::parse(text).ok_or(Failure::text("ERR min or max is not a float"));
    Ok(Span::Scores(bound(low)?, bound(high)?))
}

/// Ends of a range of names.
pub(super) fn names(low: &[u8], high: &[u8]) -> Result<Span, Failure> {
    let bound = |text| NameBound::parse(text).ok_or(Failure::text("ERR min or max not valid string range item"));
    Ok(Span::Names(bound(low)?, bound(high)?))
}

// === impl Options ===

impl Options {
    fn parse<'a>(form: Form, mut words: impl Iterator<Item = &'a [u8]>) -> Result<Self, Failure> {
        let Form { mut by, mut reverse } = form;
        let (mut limit, mut with_scores) = (None, false);
        while let Some(word) = words.next() {
            match word.to_ascii_lowercase().as_slice() {
                b"withscores" => with_scores = true,
                b"limit" => {
                    let (Some(offset), Some(count)) = (words.next(), words.next()) else { return Err(Failure::Syntax) };
                    let number = |text| parse_integer(text).ok_or(Failure::NotAnInteger);
                    limit = Some((number(offset)?, number(count)?));
                }
                b"rev" if reverse.is_none() => reverse = Some(true),
                b"byscore" if by.is_none() => by = Some(By::Score),
                b"bylex" if by.is_none() => by = Some(By::Name),
                _ => return Err(Failure::Syntax),
            }
        }
        let by = by.unwrap_or(By::Place);
        if by == By::Place && limit.is_some_and(|(_, count)| count != -1) {
            let only = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
            return Err(Failure::text(only));
        }
        if by == By::Name && with_scores {
            return Err(Failure::text("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        let limit = limit.filter(|_| by != By::Place);
        Ok(Self { by, reverse: reverse.unwrap_or_default(), limit, with_scores })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(by: Option<By>, text: &'static str) -> Result<Options, Failure> {
        Options::parse(Form { by, reverse: by.map(|_| false) }, text.split_terminator(' ').map(str::as_bytes))
    }

    #[test]
    fn options_come_in_any_order() {
        let options = parse(None, "LIMIT 1 -1 rev WithScores byscore").expect("sound");
        assert_eq!((options.by, options.reverse, options.with_scores), (By::Score, true, true));
        assert_eq!(options.limit, Some((1, -1)));
        assert_eq!(parse(None, "").expect("sound").by, By::Place);
    }

    #[test]
    fn what_the_command_says_itself_is_no_option() {
        assert!(parse(Some(By::Score), "rev").is_err() && parse(Some(By::Score), "byscore").is_err());
        assert!(parse(None, "byscore bylex").is_err() && parse(None, "limit 1").is_err() && parse(None, "x").is_err());
        assert!(parse(None, "limit 0 1").is_err() && parse(None, "bylex withscores").is_err());
        assert!(parse(None, "byscore limit a 1").is_err());
    }
}
