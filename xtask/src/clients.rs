//! `cargo xtask clients`: client libraries as people install them, unchanged and with their default settings, against two
//! agents of one group; the examples, of which a pod is replaced; and Schemathesis, which holds an agent against the
//! document of its API.

mod agents;
mod conversation;
mod library;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::{command, step, workspace};
use agents::Agents;
use library::{LIBRARIES, Library};

/// Arguments of `cargo xtask clients`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// These only: redis-py, ioredis, node-redis, phoenix, go-redis, jedis, redis-cli, elixir, schemathesis, and the examples cart, chat, sessions
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    client: Vec<String>,
    /// Write a row for each to this file, as a JSON list
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// How one client fared.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Row {
    client: String,
    version: String,
    passed: u64,
    failed: u64,
}

/// Builds an agent, installs clients, and runs what each of them checks.
pub(crate) fn run(args: &Args) -> Result<()> {
    let wanted = |library: &&Library| args.client.is_empty() || args.client.iter().any(|name| name == library.name);
    let libraries: Vec<&Library> = LIBRARIES.iter().filter(wanted).collect();
    ensure!(libraries.len() >= args.client.len().max(1), "there is no client of that name: see `--help`");
    step::run("Build baton-agent", |step| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(workspace::root()).args(["build", "--package", "baton-agent"]);
        command::follow(&mut cargo, |line| step.advance(line.trim()))
    })?;
    check_all(&libraries, args.report.as_deref())
}

/// Has Schemathesis hold the agent that was built last against the document of its API.
pub(crate) fn hold_to_document() -> Result<()> {
    let schemathesis: Vec<&Library> = LIBRARIES.iter().filter(|library| library.name == "schemathesis").collect();
    check_all(&schemathesis, None)
}

fn check_all(libraries: &[&Library], report: Option<&Path>) -> Result<()> {
    let folder = workspace::target().join("clients");
    let mut agents = Agents::start(&workspace::target().join("debug/baton-agent"), &folder)?;
    let mut rows = Vec::new();
    for library in libraries {
        rows.push(check(library, &mut agents)?);
    }
    if let Some(file) = report {
        write(file, &rows)?;
    }
    let failed: u64 = rows.iter().map(|row| row.failed).sum();
    println!("{} passed, {failed} failed", rows.iter().map(|row| row.passed).sum::<u64>());
    ensure!(failed == 0, "not every client works; logs of the agents are in {}", folder.display());
    Ok(())
}

fn check(library: &Library, agents: &mut Agents) -> Result<Row> {
    let mut program = step::run(&format!("Install {}", library.name), |_| library.install())?;
    let (text, broken) = conversation::run(&mut program, agents)?;
    let mut row = read(&text);
    if broken.is_some() || row.passed + row.failed == 0 {
        row.failed += 1;
        println!("{} broke off ({}):\n{text}", library.name, broken.unwrap_or_default());
    }
    if row.client.is_empty() {
        library.name.clone_into(&mut row.client);
    }
    println!("{} {}: {} passed, {} failed", row.client, row.version, row.passed, row.failed);
    text.lines().filter(|line| line.starts_with("not ok ")).for_each(|line| println!("  {line}"));
    Ok(row)
}

/// What a client's program says: who it is, and a line for each of its checks.
fn read(text: &str) -> Row {
    let mut row = Row::default();
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("client", name)) => {
                let (client, version) = name.rsplit_once(' ').unwrap_or((name, ""));
                (row.client, row.version) = (client.to_owned(), version.to_owned());
            }
            Some(("ok", _)) => row.passed += 1,
            Some(("not", _)) => row.failed += 1,
            _ => {}
        }
    }
    row
}

fn write(file: &Path, rows: &[Row]) -> Result<()> {
    std::fs::write(file, serde_json::to_vec_pretty(rows)?).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_who_it_is_and_how_each_check_went() {
        let row = read("client redis-py 8.1.0\nok one\nnot ok two: why\nsomething else\nok three\n");
        assert_eq!(row, Row { client: "redis-py".into(), version: "8.1.0".into(), passed: 2, failed: 1 });
    }
}
