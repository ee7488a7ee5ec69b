//! `cargo xtask test`: everything that says whether Baton is right, from the formatting to a real Kubernetes.
//!
//! The last line is `N passed, N failed`, whatever happened before. A part that cannot be run counts as failed.

mod before;
mod build;
mod chart;
mod e2e;
mod failure;
mod lint;
mod suite;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::apt;
use crate::clients;
use crate::cluster::Target;
use crate::sim;
use build::Executables;
use tally::Tally;

/// Simulated groups: less than half a minute on two cores.
const SEEDS: u64 = 2_500;

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run these parts only
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Leave these parts out
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with = "only")]
    skip: Vec<Part>,
    /// Leave the cluster up, with Baton installed
    #[arg(long)]
    keep: bool,
    /// The cargo profile of the images: `release` is what users get, `quick` and `dev` are built faster
    #[arg(long, default_value = "quick")]
    profile: String,
    /// Write a row for each end-to-end scenario to this file, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Run only tests whose name contains this
    filter: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// What can be run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Formatting, clippy, documentation
    Lint,
    /// Unit and property tests of every package
    Unit,
    /// Agents as processes on loopback
    Process,
    /// An agent beside the document of its HTTP API, by Schemathesis
    Api,
    /// Whole groups in virtual time, under every fault
    Sim,
    /// The chart, with Helm 4 and 3
    Chart,
    /// A real Kubernetes; needs root on Linux
    E2e,
}

// === impl Args ===

impl Args {
    fn has(&self, part: Part) -> bool {
        let wanted = self.only.is_empty() || self.only.contains(&part);
        wanted && !self.skip.contains(&part)
    }

    /// Whether everything that is wanted can be run here.
    fn ensure_possible(&self) -> Result<()> {
        if !self.has(Part::E2e) {
            return Ok(());
        }
        ensure!(
            self.target.context.is_none(),
            "the end-to-end suite kills processes on nodes: it needs the cluster that it makes, not --context"
        );
        let possible = cfg!(target_os = "linux") && rustix::process::geteuid().is_root();
        ensure!(possible, "the end-to-end suite needs root on Linux: say `--skip e2e` to leave it out");
        Ok(())
    }
}

/// Arguments of `cargo xtask e2e`.
#[derive(clap::Args)]
pub(crate) struct E2eArgs {
    /// Run only scenarios whose name contains this
    #[arg(long, value_name = "NAME")]
    suite: Option<String>,
    /// Write a row for each scenario to this file, as JSON: name, promise, acknowledged, lost, stale, resurrected, outcome,
    /// seconds
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Leave the cluster up, with Baton installed
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    target: Target,
}

/// Runs the end-to-end suite alone.
pub(crate) fn e2e(args: E2eArgs) -> ExitCode {
    let E2eArgs { suite, report, keep, target } = args;
    let profile = "release".to_owned();
    run(&Args { only: vec![Part::E2e], skip: Vec::new(), keep, profile, report, filter: suite, target })
}

/// Runs all parts and prints the totals.
pub(crate) fn run(args: &Args) -> ExitCode {
    let begun = Instant::now();
    let mut tally = Tally::default();
    match args.ensure_possible() {
        Ok(()) => run_parts(args, &mut tally),
        Err(error) => tally.failed("the choice of parts", &format!("{error:#}")),
    }
    tally.print_failures();
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    eprintln!("{minutes:.1} minutes");
    println!("{tally}");
    if tally.good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_parts(args: &Args, tally: &mut Tally) {
    let left_out: Vec<String> = args.skip.iter().map(|part| format!("{part:?}").to_lowercase()).collect();
    if !left_out.is_empty() {
        eprintln!("left out, as asked: {}", left_out.join(", "));
    }
    if args.has(Part::Lint) {
        lint::run(tally);
    }
    if args.has(Part::Chart) {
        chart::run(tally);
    }
    if args.has(Part::Sim) {
        let seeds = sim::Args { seeds: Some(SEEDS), ..sim::Args::default() };
        tally.count("Simulation", sim::run(&seeds));
    }
    let suites = [Part::Unit, Part::Process, Part::Api, Part::E2e];
    if !suites.iter().any(|part| args.has(*part)) {
        return;
    }
    match build::tests() {
        Ok(executables) => run_suites(args, &executables, tally),
        Err(error) => tally.failed("the build of the tests", &format!("{error:#}")),
    }
}

fn run_suites(args: &Args, executables: &Executables, tally: &mut Tally) {
    let filter = args.filter.as_deref();
    // The benches that are run with hardly any keys are among the units.
    if (args.has(Part::Unit) || args.has(Part::Process))
        && let Err(error) = apt::ensure(&[apt::REDIS_TOOLS, apt::REDIS, apt::SOCKETS, apt::BROWSER])
    {
        tally.failed("the packages that suites need", &format!("{error:#}"));
    }
    if args.has(Part::Unit) {
        suite::units(executables, filter, tally);
    }
    if args.has(Part::Process) {
        suite::processes(executables, filter, tally);
    }
    if args.has(Part::Api) {
        tally.count("The HTTP API and its document", clients::hold_to_document());
    }
    if args.has(Part::E2e) {
        let plan = e2e::Plan {
            target: &args.target,
            profile: &args.profile,
            keep: args.keep,
            filter,
            report: args.report.as_deref(),
        };
        e2e::run(&plan, executables, tally);
    }
}
