//! The frame of one process-level scenario: a folder for its logs, and an error that names both.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Error, Result};

use crate::{place, process};

/// What went wrong, for people: causes without the stack, which says nothing about agents.
pub struct Failure(Error);

/// Runs one scenario. Its name is that of the test.
pub fn run(scenario: impl FnOnce(&Path) -> Result<()>) -> Result<(), Failure> {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("scenario").replace("::", ".");
    let folder = place::folder("process", &name)?;
    let outcome = scenario(&folder);
    if outcome.is_err() {
        show_logs(&folder);
    }
    Ok(outcome.with_context(|| format!("{name} failed; its logs are in {}", folder.display()))?)
}

/// Prints the end of each log: the folder may be on a machine that nobody can look at.
fn show_logs(folder: &Path) {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let mut logs: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "log")).collect();
    logs.sort_unstable();
    for log in logs {
        eprintln!("the end of {}:\n{}", log.display(), process::tail(&log));
    }
}

// === impl Failure ===

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        self.0.chain().skip(1).try_for_each(|cause| write!(f, "\n  because {cause}"))
    }
}
