//! The totals of all runners.

use std::fmt;

use super::failure;

/// How many passed, and which failed.
#[derive(Default)]
pub(super) struct Tally {
    passed: u64,
    failed: Vec<Failed>,
}

struct Failed {
    name: String,
    why: String,
}

// === impl Tally ===

impl Tally {
    /// Counts one that passed.
    pub(super) fn passed(&mut self) {
        self.passed += 1;
    }

    /// Counts one that failed, and shows why: at once, and in short at the end.
    pub(super) fn failed(&mut self, name: &str, why: &str) {
        eprintln!("{name}: {why}");
        self.failed_as_shown(name, why);
    }

    /// Counts one that failed, and why was shown.
    pub(super) fn failed_as_shown(&mut self, name: &str, why: &str) {
        self.failed.push(Failed { name: name.to_owned(), why: why.to_owned() });
    }

    /// Counts one check.
    pub(super) fn count(&mut self, name: &str, outcome: anyhow::Result<()>) {
        match outcome {
            Ok(()) => self.passed(),
            Err(error) => self.failed(name, &format!("{error:#}")),
        }
    }

    /// Whether nothing failed and something passed.
    pub(super) fn good(&self) -> bool {
        self.failed.is_empty() && self.passed > 0
    }

    /// Shows them once more, so that the end of a log is enough.
    pub(super) fn print_failures(&self) {
        for Failed { name, why } in &self.failed {
            eprint!("FAILED  {name}\n{}", failure::shortened(why));
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed.len())
    }
}
