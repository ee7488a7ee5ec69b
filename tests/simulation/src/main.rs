//! The simulation as a program: `cargo xtask sim` builds it with the profile `sim` and runs it.

use std::path::PathBuf;
use std::process::ExitCode;

use baton_simulation::{Sweep, print_failure, sweep};
use clap::Parser;

/// A sixth of the time of a seed is in the allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many seeds are run unless it is said.
const SEEDS: u64 = 1_000;

/// Run the whole protocol in virtual time, under every fault, a world for each seed.
#[derive(Parser)]
struct Args {
    /// How many seeds; 1,000 if not given
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// This seed only, unless `--seeds` says how many from it on; prints what happens in it, whether it fails or not
    #[arg(long, conflicts_with = "first")]
    seed: Option<u64>,
    /// Where the result goes, as JSON; written while the seeds are running, too
    #[arg(long)]
    report: Option<PathBuf>,
    /// Run wrong protocols instead: each must be noticed
    #[arg(long)]
    mutants: bool,
    /// Only this wrong protocol
    #[arg(long, requires = "mutants")]
    mutant: Option<String>,
    /// Threads; the number of cores if not given
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // A violated rule may be a panic inside a run; what it says is in the violation.
    std::panic::set_hook(Box::new(|_| {}));
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let good = match (args.seed, args.seeds) {
        _ if args.mutants => mutants(&args, threads),
        (Some(seed), None) => {
            let result = baton_simulation::tell(seed, "");
            write(&args, &result.json());
            result.failures.is_empty()
        }
        _ => seeds(&args, threads),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn seeds(args: &Args, threads: usize) -> bool {
    let report = |sweep: &Sweep| write(args, &sweep.json());
    let result = sweep(args.first(), args.seeds.unwrap_or(SEEDS), threads, &report);
    report(&result);
    println!("{result}");
    if let Some((seed, _)) = result.failures.first() {
        print_failure(*seed, "");
    }
    result.failures.is_empty()
}

#[cfg(feature = "mutants")]
fn mutants(args: &Args, threads: usize) -> bool {
    let mutants = match baton_simulation::mutants(args.mutant.as_deref()) {
        Ok(mutants) => mutants,
        Err(error) => {
            eprintln!("{error}");
            return false;
        }
    };
    if let ([mutant], Some(seed), None, None) = (&mutants[..], args.seed, args.seeds, &args.report) {
        return baton_simulation::tell_mutant(*mutant, seed);
    }
    let seeds = args.seeds.unwrap_or(if args.seed.is_some() { 1 } else { SEEDS });
    let hunt = baton_simulation::hunt(&mutants, args.first(), seeds, threads);
    write(args, &hunt.json());
    println!("{hunt}");
    hunt.missed().is_empty()
}

#[cfg(not(feature = "mutants"))]
fn mutants(_: &Args, _: usize) -> bool {
    eprintln!("this program was built without the feature `mutants`");
    false
}

// === impl Args ===

impl Args {
    fn first(&self) -> u64 {
        self.seed.unwrap_or(self.first)
    }
}

fn write(args: &Args, result: &str) {
    if let Some(report) = &args.report
        && let Err(error) = std::fs::write(report, result)
    {
        eprintln!("cannot write {}: {error}", report.display());
    }
}
