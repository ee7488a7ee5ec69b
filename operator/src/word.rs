//! Words that users read in conditions and events: each list is one enum, so that the docs can be held against it.

/// Declares an enum whose variants are words, with `as_str` and `ALL`.
macro_rules! words {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident { $($(#[$doc:meta])* $word:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$doc])* $word,)+
        }

        impl $name {
            /// All of them, as documented.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$word,)+];

            /// The word.
            $visibility const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => stringify!($word),)+
                }
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::event;
    use crate::handoff::Verdict;
    use crate::status::{Kind, Reason};

    const PAGE: &str = include_str!("../../docs/operations.md");

    /// The words in a column of the table under a heading.
    fn documented(heading: &str, column: usize) -> BTreeSet<&'static str> {
        let after = PAGE.split_once(&format!("\n## {heading}\n")).expect(heading).1;
        let section = after.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter(|line| line.starts_with('|'));
        let cells = rows.filter_map(|row| Some(row.split('|').nth(column)?.trim()));
        cells.filter_map(|cell| cell.strip_prefix('`')?.strip_suffix('`')).collect()
    }

    #[test]
    fn every_condition_and_its_reasons_are_documented_and_no_others() {
        assert_eq!(documented("Conditions of a HandoffGroup", 1), Kind::ALL.iter().map(|one| one.as_str()).collect());
        assert_eq!(documented("Conditions of a HandoffGroup", 3), Reason::ALL.iter().map(|one| one.as_str()).collect());
    }

    #[test]
    fn every_event_is_documented_and_no_others() {
        assert_eq!(documented("Events", 1), event::Reason::ALL.iter().map(|one| one.as_str()).collect());
    }

    #[test]
    fn every_reason_of_a_handoff_record_is_documented_and_no_others() {
        assert_eq!(documented("Handoff records", 2), Verdict::ALL.iter().map(|one| one.as_str()).collect());
    }
}
