//! All commands, by name.

use std::sync::LazyLock;

use crate::redis::call::Call;
use crate::redis::command;
use crate::redis::failure::Failure;

/// The longest name of a command, with room.
const MAX_NAME: usize = 32;

/// One command.
pub(super) struct Command {
    /// In lower case.
    pub(super) name: &'static str,
    /// How many arguments it takes, with its name: exactly, or below zero at least.
    pub(super) arity: i16,
    pub(super) flags: Flags,
    pub(super) keys: Keys,
    pub(super) run: fn(&mut Call<'_>) -> Result<(), Failure>,
}

/// What a command is, for clients that ask, and for what surrounds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(u16);

/// Which of a command's arguments are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) first: i8,
    /// Below zero, from the end.
    pub(super) last: i8,
    pub(super) step: i8,
}

static TABLE: LazyLock<Vec<&'static Command>> = LazyLock::new(|| {
    let mut table: Vec<&Command> = command::FAMILIES.iter().flat_map(|family| family.iter()).collect();
    table.sort_unstable_by_key(|command| command.name);
    table
});

/// The command with a name, in whatever case.
pub(super) fn find(name: &[u8]) -> Option<&'static Command> {
    let mut lower = [0; MAX_NAME];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let table: &[&Command] = &TABLE;
    let at = table.binary_search_by(|command| command.name.as_bytes().cmp(lower)).ok()?;
    Some(table[at])
}

/// All of them, in the order of their names.
pub(super) fn all() -> &'static [&'static Command] {
    &TABLE
}

// === impl Command ===

impl Command {
    /// Whether it can have so many arguments, its name included.
    pub(super) fn takes(&self, arguments: usize) -> bool {
        let bound = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { arguments >= bound } else { arguments == bound }
    }
}

// === impl Flags ===

impl Flags {
    /// It reads keys.
    pub(super) const READ: Self = Self(1);
    /// It may write keys.
    pub(super) const WRITE: Self = Self(1 << 1);
    /// It takes a time that does not grow with anything.
    pub(super) const FAST: Self = Self(1 << 2);
    /// It is about the agent.
    pub(super) const ADMIN: Self = Self(1 << 3);
    /// It waits.
    pub(super) const BLOCKING: Self = Self(1 << 4);
    /// It looks at all keys there are, or may.
    pub(super) const ALL_KEYS: Self = Self(1 << 5);
    /// None of these.
    pub(super) const NONE: Self = Self(0);

    /// As Redis calls them.
    const NAMES: [(Self, &str); 5] = [
        (Self::READ, "readonly"),
        (Self::WRITE, "write"),
        (Self::FAST, "fast"),
        (Self::ADMIN, "admin"),
        (Self::BLOCKING, "blocking"),
    ];

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Their names.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        Self::NAMES.into_iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| name)
    }
}

// === impl Keys ===

impl Keys {
    pub(super) const NONE: Self = Self { first: 0, last: 0, step: 0 };
    pub(super) const FIRST: Self = Self { first: 1, last: 1, step: 1 };
    pub(super) const TWO: Self = Self { first: 1, last: 2, step: 1 };
    pub(super) const ALL: Self = Self { first: 1, last: -1, step: 1 };
    /// Each with something that is none.
    pub(super) const PAIRS: Self = Self { first: 1, last: -1, step: 2 };
    /// Only the second.
    pub(super) const SECOND: Self = Self { first: 2, last: 2, step: 1 };

    /// Where keys are among so many arguments, the name included.
    pub(super) fn places(self, arguments: usize) -> impl Iterator<Item = usize> {
        let last = if self.last < 0 { arguments as i64 + i64::from(self.last) } else { self.last.into() };
        let places = i64::from(self.first)..=last.min(arguments as i64 - 1);
        let step = usize::try_from(self.step).unwrap_or_default();
        places.step_by(step.max(1)).filter(move |_| step > 0).map(|place| place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_in_whatever_case() {
        assert_eq!(find(b"GeT").map(|command| command.name), Some("get"));
        assert!(find(b"").is_none() && find(b"gets").is_none() && find(&[b'g'; 100]).is_none());
    }

    #[test]
    fn every_command_is_there_once_and_in_lower_case() {
        for pair in all().windows(2) {
            assert!(pair[0].name < pair[1].name, "{} and {}", pair[0].name, pair[1].name);
        }
        assert!(all().iter().all(|command| command.name.len() <= MAX_NAME && command.arity != 0));
        assert!(all().iter().all(|command| command.name == command.name.to_lowercase()));
    }

    #[test]
    fn a_command_takes_as_many_arguments_as_its_arity_says() {
        let takes = |name: &[u8], arguments| find(name).is_some_and(|command| command.takes(arguments));
        assert!(takes(b"get", 2) && !takes(b"get", 1) && !takes(b"get", 3));
        assert!(takes(b"set", 3) && takes(b"set", 9) && !takes(b"set", 2));
    }

    #[test]
    fn keys_are_where_the_table_says() {
        let places = |name: &[u8], arguments| -> Vec<usize> {
            find(name).into_iter().flat_map(|command| command.keys.places(arguments)).collect()
        };
        assert_eq!((places(b"get", 2), places(b"ping", 2)), (vec![1], vec![]));
        assert_eq!((places(b"del", 4), places(b"mset", 5)), (vec![1, 2, 3], vec![1, 3]));
        assert_eq!((places(b"object", 3), places(b"object", 2)), (vec![2], vec![]));
    }
}
