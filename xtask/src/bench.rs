//! `cargo xtask bench`: what Baton does against its targets; `docs/performance.md` explains the figures.

mod instruction;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::{apt, command, step, workspace};

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

/// What is measured.
#[derive(Subcommand)]
enum What {
    /// The replica's core and agents on loopback, in part against Redis
    Core(CoreArgs),
    /// The operator with ten thousand agents, against a simulated API server
    Operator(OperatorArgs),
    /// The fronts of an agent with one live peer, against Redis with one replica
    Resp(RespArgs),
}

/// Arguments of `cargo xtask bench core`.
#[derive(clap::Args)]
struct CoreArgs {
    /// Measure these rows only: put, live, join, restart, memory, wire, idle, hold, instructions
    #[arg(long, value_delimiter = ',', value_name = "ROW")]
    row: Vec<String>,
    /// Write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// A tenth of the keys: for a first look
    #[arg(long)]
    quick: bool,
}

/// Arguments of `cargo xtask bench operator`.
#[derive(clap::Args)]
struct OperatorArgs {
    /// Write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// A tenth of the agents, and a quarter of the time: for a first look
    #[arg(long)]
    quick: bool,
}

/// Arguments of `cargo xtask bench resp`.
#[derive(clap::Args)]
struct RespArgs {
    /// Write the figures to this file, as a JSON list
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// A tenth of the requests: for a first look
    #[arg(long)]
    quick: bool,
}

/// The row that valgrind measures; all others are the program's own.
const INSTRUCTIONS: &str = "instructions";

/// Builds what is needed as users get it, and measures.
pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Core(core) => measure_core(core),
        What::Operator(OperatorArgs { report, quick }) => {
            build("baton-operator")?;
            measure(&["--row", "operator"], report.as_deref(), None, *quick)
        }
        What::Resp(RespArgs { report, quick }) => {
            apt::ensure(&[apt::REDIS, apt::REDIS_TOOLS])?;
            build("baton-agent")?;
            measure(&["--fronts"], report.as_deref(), None, *quick)
        }
    }
}

fn measure_core(args: &CoreArgs) -> Result<()> {
    apt::ensure(&[apt::REDIS])?;
    build("baton-agent")?;
    let counted = args.row.is_empty() || args.row.iter().any(|row| row == INSTRUCTIONS);
    let counts = if counted { Some(instruction::count()?) } else { None };
    let rows = args.row.join(",");
    let what: &[&str] = if rows.is_empty() { &[] } else { &["--row", &rows] };
    measure(what, args.report.as_deref(), counts.as_deref(), args.quick)
}

fn build(package: &str) -> Result<()> {
    step::run(&format!("Build {package} and baton-bench (release)"), |step| {
        let mut build = cargo();
        build.args(["build", "--release", "--package", package, "--package", "baton-bench"]);
        command::follow(&mut build, |line| step.advance(line.trim()))
    })
}

fn measure(what: &[&str], report: Option<&Path>, counts: Option<&Path>, quick: bool) -> Result<()> {
    let mut bench = Command::new(workspace::target().join("release/baton-bench"));
    bench.args(what);
    for (flag, file) in [("--report", report), ("--counts", counts)] {
        if let Some(file) = file {
            bench.arg(flag).arg(file);
        }
    }
    if quick {
        bench.arg("--quick");
    }
    let status = bench.stdin(Stdio::null()).status().context("cannot run baton-bench")?;
    if status.success() { Ok(()) } else { bail!("baton-bench failed ({status})") }
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace::root());
    cargo
}
