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
    /// All of the following, one after the other
    All(AllArgs),
    /// The replica's core and agents on loopback, in part against Redis
    Core(CoreArgs),
    /// The operator with ten thousand agents, against a simulated API server
    Operator(OperatorArgs),
    /// The fronts of an agent with one live peer, against Redis with one replica
    Resp(RespArgs),
}

/// Arguments of `cargo xtask bench all`.
#[derive(clap::Args)]
struct AllArgs {
    /// Write the figures to core.json, operator.json and resp.json in this folder
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    /// A tenth of everything: for a first look
    #[arg(long)]
    quick: bool,
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
    /// Links between agents in plain text: shows what TLS takes
    #[arg(long)]
    plain: bool,
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
        What::All(all) => measure_all(all),
        What::Core(core) => measure_core(core),
        What::Operator(operator) => measure_operator(operator),
        What::Resp(resp) => measure_fronts(resp),
    }
}

/// Each in its turn, also if one before could not be measured.
fn measure_all(args: &AllArgs) -> Result<()> {
    if let Some(folder) = &args.report {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let report = |name: &str| args.report.as_ref().map(|folder| folder.join(name));
    let quick = args.quick;
    let done = [
        measure_core(&CoreArgs { row: Vec::new(), report: report("core.json"), quick, plain: false }),
        measure_operator(&OperatorArgs { report: report("operator.json"), quick }),
        measure_fronts(&RespArgs { report: report("resp.json"), quick }),
    ];
    done.into_iter().collect()
}

fn measure_operator(args: &OperatorArgs) -> Result<()> {
    build("baton-operator")?;
    measure(&["--row", "operator"], args.report.as_deref(), None, args.quick)
}

fn measure_fronts(args: &RespArgs) -> Result<()> {
    apt::ensure(&[apt::REDIS, apt::REDIS_TOOLS])?;
    build("baton-agent")?;
    measure(&["--fronts"], args.report.as_deref(), None, args.quick)
}

fn measure_core(args: &CoreArgs) -> Result<()> {
    apt::ensure(&[apt::REDIS, apt::SOCKETS])?;
    build("baton-agent")?;
    let counted = args.row.is_empty() || args.row.iter().any(|row| row == INSTRUCTIONS);
    let counts = if counted { Some(instruction::count()?) } else { None };
    let rows = args.row.join(",");
    let mut what = if rows.is_empty() { Vec::new() } else { vec!["--row", &rows] };
    if args.plain {
        what.push("--plain");
    }
    measure(&what, args.report.as_deref(), counts.as_deref(), args.quick)
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
