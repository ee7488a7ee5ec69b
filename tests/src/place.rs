//! Where the programs under test are, and where logs go.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// Cargo's build folder of this very program, which lies in `<target>/<profile>` or, if it is a test, in `deps` there.
pub fn target() -> Result<PathBuf> {
    let folder = profile()?;
    Ok(folder.parent().unwrap_or(&folder).to_owned())
}

/// A program of the workspace, built with the same profile as the suite.
pub fn program(name: &str) -> Result<PathBuf> {
    let program = profile()?.join(name);
    ensure!(
        program.is_file(),
        "{} is not built: run `cargo xtask test`, or `cargo build --package baton-agent --package arena --package kubectl-baton` first",
        program.display()
    );
    Ok(program)
}

/// An empty folder for the logs of one scenario.
pub fn folder(suite: &str, scenario: &str) -> Result<PathBuf> {
    let folder = target()?.join(suite).join(scenario);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn profile() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.parent().unwrap_or(Path::new("."));
    let profile = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(profile.to_owned())
}
