//! `kubectl baton` as a person runs it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::place;

/// What it said.
#[derive(Debug)]
pub struct Said {
    /// The exit code; none if it was killed by a signal.
    pub code: Option<i32>,
    /// The answer.
    pub stdout: String,
    /// What was said beside it.
    pub stderr: String,
}

/// Runs it to its end, whatever that is.
pub fn run(kubeconfig: &Path, namespace: &str, words: &[&str]) -> Result<Said> {
    let mut baton = Command::new(place::program("kubectl-baton")?);
    baton.env("KUBECONFIG", kubeconfig).args(["--namespace", namespace]).args(words).stdin(Stdio::null());
    let done = baton.output().context("cannot run kubectl-baton")?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said { code: done.status.code(), stdout: text(done.stdout), stderr: text(done.stderr) })
}

// === impl Said ===

impl Said {
    /// The answer, if it ended with this exit code.
    pub fn with_code(&self, code: i32) -> Result<&str> {
        ensure!(self.code == Some(code), "kubectl baton did not end with {code}: {self:?}");
        Ok(&self.stdout)
    }

    /// The answer as JSON, if it ended well.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(self.with_code(0)?).with_context(|| format!("no JSON: {self:?}"))
    }
}
