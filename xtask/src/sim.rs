//! `cargo xtask sim`: the whole protocol in virtual time, under every fault, a world for each seed; see
//! `tests/simulation`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{command, step, workspace};

/// Seeds in which each wrong protocol must be noticed, unless `--seeds` says otherwise.
const SEEDS_PER_MUTANT: u64 = 20_000;

/// Arguments of `cargo xtask sim`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// How many seeds; with `--mutants`, how many for each at most
    #[arg(long)]
    pub(crate) seeds: Option<u64>,
    /// The first seed
    #[arg(long)]
    pub(crate) first: Option<u64>,
    /// This seed only, unless `--seeds` says how many from it on: prints what happens in it
    #[arg(long, conflicts_with = "first")]
    pub(crate) seed: Option<u64>,
    /// Run wrong protocols instead: each must be noticed
    #[arg(long)]
    pub(crate) mutants: bool,
    /// Only this wrong protocol
    #[arg(long, requires = "mutants")]
    pub(crate) mutant: Option<String>,
    /// Where the result goes, as JSON
    #[arg(long)]
    pub(crate) report: Option<PathBuf>,
    /// Threads; the number of cores if not given
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

/// Builds the simulation with its own profile and runs it; fails if a seed does, or if a mutant is missed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let program = build(args.mutants)?;
    let status = Command::new(&program).args(args.passed()).status();
    let status = status.with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(status.success(), "the simulation found something");
    Ok(())
}

// === impl Args ===

impl Args {
    fn passed(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        let mut number = |name: &str, value: Option<u64>| {
            args.extend(value.into_iter().flat_map(|value| [name.into(), value.to_string().into()]));
        };
        number("--seeds", self.seeds.or((self.mutants && self.seed.is_none()).then_some(SEEDS_PER_MUTANT)));
        number("--first", self.first);
        number("--seed", self.seed);
        number("--threads", self.threads.map(|threads| threads as u64));
        if self.mutants {
            args.push("--mutants".into());
        }
        args.extend(self.mutant.iter().flat_map(|mutant| ["--mutant".into(), mutant.into()]));
        args.extend(self.report.iter().flat_map(|report| ["--report".into(), report.into()]));
        args
    }
}

/// The two kinds have a target folder each, or they would build each other away.
fn build(mutants: bool) -> Result<PathBuf> {
    let target = if mutants { workspace::target().join("mutants") } else { workspace::target() };
    let title = if mutants { "Build the simulation with mutants" } else { "Build the simulation" };
    step::run(title, |step| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--profile", "sim", "-p", "baton-simulation", "--target-dir"]).arg(&target);
        if mutants {
            cargo.args(["--features", "mutants"]);
        }
        command::follow(&mut cargo, |line| step.advance(line.trim()))
    })?;
    Ok(target.join("sim/baton-simulation"))
}
