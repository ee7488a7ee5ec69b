//! One build of all tests and programs, with one profile.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{command, step, workspace};

/// The test programs of the workspace.
pub(super) struct Executables(Vec<Executable>);

/// One test program.
#[derive(Debug, Clone)]
pub(super) struct Executable {
    /// `package target`, for people.
    pub(super) name: String,
    /// The program.
    pub(super) program: PathBuf,
    /// The package's folder, where its tests run.
    pub(super) folder: PathBuf,
}

/// A line of `cargo --message-format=json`.
#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

// === impl Executables ===

impl Executables {
    /// A suite of the package `baton-tests`.
    pub(super) fn suite(&self, name: &str) -> Result<&Executable> {
        self.0.iter().find(|one| one.is_suite(name)).with_context(|| format!("the suite {name} was not built"))
    }

    /// All but the suites.
    pub(super) fn units(&self) -> impl Iterator<Item = &Executable> {
        self.0.iter().filter(|one| !one.is_suite("process") && !one.is_suite("e2e"))
    }
}

// === impl Executable ===

impl Executable {
    fn is_suite(&self, name: &str) -> bool {
        self.folder == workspace::root().join("tests") && self.name.ends_with(&format!(" {name}"))
    }
}

/// A cargo command at the root of the workspace.
pub(super) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace::root());
    cargo
}

/// Builds every test, and the programs that suites start.
pub(super) fn tests() -> Result<Executables> {
    // One command: in two, what tests and programs depend on would be built twice, with other features.
    let executables = step::run("Build the tests and the programs", |step| {
        let mut build = cargo();
        build.args(["build", "--workspace", "--tests", "--bins", "--message-format=json-render-diagnostics"]);
        let mut child = build.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (stdout, stderr) = (child.stdout.take().context("no output")?, child.stderr.take().context("no output")?);
        let (found, told) = std::thread::scope(|scope| {
            let found = scope.spawn(|| read(BufReader::new(stdout)));
            let mut told = Vec::new();
            for line in BufReader::new(stderr).lines().map_while(std::io::Result::ok) {
                step.advance(line.trim());
                told.push(line);
            }
            (found.join(), told)
        });
        if !child.wait()?.success() {
            bail!("the tests do not build:\n{}", command::tail(told.iter().map(String::as_str)));
        }
        found.map_err(|_| anyhow::anyhow!("the reader of cargo's output has panicked"))
    })?;
    Ok(Executables(executables))
}

fn read(lines: impl BufRead) -> Vec<Executable> {
    let messages = lines.lines().map_while(std::io::Result::ok);
    messages.filter_map(|line| executable(serde_json::from_str(&line).ok()?)).collect()
}

fn executable(message: Message) -> Option<Executable> {
    if message.reason != "compiler-artifact" || !message.profile?.test {
        return None;
    }
    let folder = message.manifest_path?.parent()?.to_owned();
    let name = format!("{} {}", folder.file_name()?.to_string_lossy(), message.target?.name);
    Some(Executable { name, program: message.executable?, folder })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_programs_are_run() {
        let lines = r#"{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"name":"a"},"profile":{"test":true},"executable":"/t/a-1"}
{"reason":"compiler-artifact","manifest_path":"/w/b/Cargo.toml","target":{"name":"b"},"profile":{"test":false},"executable":"/t/b"}
{"reason":"build-finished","success":true}
"#;
        let found = read(lines.as_bytes());
        assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["a a"]);
    }
}
