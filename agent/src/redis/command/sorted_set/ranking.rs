//! The members of a sorted set in their order, and which of them a range has.

use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;

use crate::redis::command::sorted_set::bound::{NameBound, ScoreBound};

/// A member with its score.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ranked {
    pub(super) score: f64,
    pub(super) name: Bytes,
}

/// All members: by score, and by name where scores are equal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ranking(Vec<Ranked>);

/// Which members are asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Span {
    /// From one place to another, both included; negative ones count from the end.
    Places(i64, i64),
    Scores(ScoreBound, ScoreBound),
    /// Right where all scores are equal.
    Names(NameBound, NameBound),
}

// === impl Ranking ===

impl Ranking {
    pub(super) fn new(mut members: Vec<Ranked>) -> Self {
        members.sort_unstable_by(Ranked::compare);
        Self(members)
    }

    /// The members of a span, as places from the lowest. In the reverse order, places count from the highest.
    pub(super) fn places(&self, span: &Span, reverse: bool) -> Range<usize> {
        let from_to = |begins: &dyn Fn(&Ranked) -> bool, ends: &dyn Fn(&Ranked) -> bool| {
            let from = self.0.partition_point(|member| !begins(member));
            from..self.0.partition_point(|member| ends(member)).max(from)
        };
        match span {
            Span::Places(first, last) => {
                let Range { start, end } = within(*first, *last, self.0.len());
                if reverse { self.0.len() - end..self.0.len() - start } else { start..end }
            }
            Span::Scores(low, high) => {
                from_to(&|member| low.begins_before(member.score), &|member| high.ends_after(member.score))
            }
            Span::Names(low, high) => {
                from_to(&|member| low.begins_before(&member.name), &|member| high.ends_after(&member.name))
            }
        }
    }

    /// The members of a span, in order.
    pub(super) fn select(&self, span: &Span, reverse: bool) -> Vec<&Ranked> {
        let members = self.0[self.places(span, reverse)].iter();
        if reverse { members.rev().collect() } else { members.collect() }
    }

    /// The place of a member, from the lowest.
    pub(super) fn place(&self, name: &[u8]) -> Option<usize> {
        self.0.iter().position(|member| member.name == name)
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }
}

// === impl Ranked ===

impl Ranked {
    fn compare(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| self.name.cmp(&other.name))
    }
}

/// The places from one to another, both included.
fn within(first: i64, last: i64, count: usize) -> Range<usize> {
    let count = count as i64;
    let from_start = |place: i64| if place < 0 { place.saturating_add(count) } else { place };
    let (first, last) = (from_start(first).max(0), from_start(last).min(count - 1));
    if first > last { 0..0 } else { first as usize..last as usize + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(members: &[(f64, &'static str)]) -> Ranking {
        Ranking::new(members.iter().map(|(score, name)| Ranked { score: *score, name: (*name).into() }).collect())
    }

    fn names(ranking: &Ranking, span: &Span, reverse: bool) -> String {
        ranking.select(span, reverse).iter().map(|member| String::from_utf8_lossy(&member.name).into_owned()).collect()
    }

    fn scores(low: &str, high: &str) -> Span {
        let bound = |text: &str| ScoreBound::parse(text.as_bytes()).expect("a bound");
        Span::Scores(bound(low), bound(high))
    }

    fn by_name(low: &str, high: &str) -> Span {
        let bound = |text: &str| NameBound::parse(text.as_bytes()).expect("a bound");
        Span::Names(bound(low), bound(high))
    }

    #[test]
    fn places_count_from_either_end_and_in_either_order() {
        let five = ranking(&[(3.0, "c"), (1.0, "b"), (1.0, "a"), (f64::NEG_INFINITY, "x"), (9.0, "d")]);
        assert_eq!(names(&five, &Span::Places(0, -1), false), "xabcd");
        assert_eq!(names(&five, &Span::Places(0, 1), true), "dc");
        assert_eq!(names(&five, &Span::Places(-2, 100), false), "cd");
        assert_eq!(names(&five, &Span::Places(-100, 0), false), "x");
        assert_eq!(names(&five, &Span::Places(3, 2), false), "");
        assert_eq!(names(&five, &Span::Places(5, 9), false), "");
        assert_eq!(names(&Ranking::default(), &Span::Places(0, -1), true), "");
        assert_eq!((five.place(b"c"), five.place(b"y")), (Some(3), None));
    }

    #[test]
    fn ranges_of_scores_have_their_ends_unless_they_say_so() {
        let five = ranking(&[(1.0, "a"), (2.0, "b"), (2.0, "c"), (3.0, "d"), (f64::INFINITY, "e")]);
        assert_eq!(names(&five, &scores("2", "3"), false), "bcd");
        assert_eq!(names(&five, &scores("(2", "+inf"), false), "de");
        assert_eq!(names(&five, &scores("-inf", "(2"), false), "a");
        assert_eq!(names(&five, &scores("-inf", "inf"), true), "edcba");
        assert_eq!(names(&five, &scores("3", "2"), false), "");
        assert_eq!(names(&five, &scores("(2", "(2"), false), "");
    }

    #[test]
    fn ranges_of_names_go_by_bytes() {
        let same = ranking(&[(0.0, "a"), (0.0, "b"), (0.0, "ba"), (0.0, "c")]);
        assert_eq!(names(&same, &by_name("-", "+"), false), "abbac");
        assert_eq!(names(&same, &by_name("[b", "(c"), false), "bba");
        assert_eq!(names(&same, &by_name("(b", "[c"), true), "cba");
        assert_eq!(names(&same, &by_name("+", "-"), false), "");
        assert!(NameBound::parse(b"a").is_none() && NameBound::parse(b"").is_none());
    }
}
