//! Instruction counts of the core, by gungraun on valgrind: the same on a busy machine as on an idle one.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::cargo;
use crate::{apt, cache, command, step, workspace};

/// The release of gungraun; that of the library is in the root `Cargo.toml`, and both must be the same.
const GUNGRAUN: &str = "0.20.0";

const VALGRIND: apt::Need = apt::Need { program: "valgrind", package: "valgrind" };

/// Counts, and returns the file that holds what gungraun says: one JSON object a line.
pub(super) fn count() -> Result<PathBuf> {
    apt::ensure(&[VALGRIND])?;
    let runner = runner()?;
    step::run("Count instructions under valgrind", |_| {
        let mut bench = cargo();
        bench.args(["bench", "--quiet", "--package", "baton-replica", "--bench", "core"]);
        bench.args(["--", "--output-format=json"]).env("GUNGRAUN_RUNNER", runner);
        let output = bench.stdin(Stdio::null()).output().context("cannot run cargo bench")?;
        ensure!(output.status.success(), "cargo bench failed: {}", String::from_utf8_lossy(&output.stderr));
        let file = workspace::target().join("gungraun.json");
        std::fs::write(&file, output.stdout)?;
        Ok(file)
    })
}

/// The program that runs a bench under valgrind, from the cache.
fn runner() -> Result<PathBuf> {
    cache::file("gungraun-runner", &[GUNGRAUN.as_bytes()], |out| {
        let root = out.with_extension("root");
        step::run(&format!("Install gungraun-runner {GUNGRAUN}"), |step| {
            let mut install = cargo();
            install.args(["install", "gungraun-runner", "--locked", "--version", GUNGRAUN, "--root"]).arg(&root);
            // Its own target folder, or it would be that of the workspace.
            install.arg("--target-dir").arg(root.join("target"));
            command::follow(&mut install, |line| step.advance(line.trim()))
        })?;
        Ok(std::fs::rename(root.join("bin/gungraun-runner"), out)?)
    })
}
