//! The frame of one scenario: a folder for its logs, and an error that names both.

use std::path::Path;

use anyhow::{Context, Result};

use crate::place;

/// Runs one scenario of the process-level suite. Its name is that of the test.
pub fn run(scenario: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("scenario").replace("::", ".");
    let folder = place::folder("process", &name)?;
    scenario(&folder).with_context(|| format!("{name} failed; its logs are in {}", folder.display()))
}
