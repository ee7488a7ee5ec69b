//! The totals of all runners.

use std::fmt;

/// How many passed, and which failed.
#[derive(Default)]
pub(super) struct Tally {
    passed: u64,
    failed: Vec<String>,
}

// === impl Tally ===

impl Tally {
    /// Counts one that passed.
    pub(super) fn passed(&mut self) {
        self.passed += 1;
    }

    /// Counts one that failed. `why` is shown at once, the name once more at the end.
    pub(super) fn failed(&mut self, name: &str, why: &str) {
        self.failed.push(name.to_owned());
        if !why.is_empty() {
            eprintln!("{name}: {why}");
        }
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

    pub(super) fn print_failures(&self) {
        for name in &self.failed {
            eprintln!("FAILED  {name}");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed.len())
    }
}
