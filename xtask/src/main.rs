//! Developer commands of Baton: `cargo xtask <command>`.

mod apt;
mod archive;
mod bench;
mod cache;
mod clients;
mod cluster;
mod command;
mod demo;
mod elf;
mod fuzz;
mod images;
mod local;
mod sim;
mod step;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of Baton.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

/// One variant per command; each module owns its arguments and its work.
#[derive(Subcommand)]
enum Commands {
    /// Measure Baton against its targets
    Bench(bench::Args),
    /// Run client libraries, as people install them, the examples, and Schemathesis, against agents
    Clients(clients::Args),
    /// A real Kubernetes on this machine: nodes are network namespaces
    Cluster(cluster::Args),
    /// Show a rollout with Baton and without: nothing lost, and everything
    Demo(demo::Args),
    /// Run the end-to-end suite: Baton on a real Kubernetes, with every fault
    E2e(test::E2eArgs),
    /// Feed every decoder of what peers send with hostile bytes, by libFuzzer
    Fuzz(fuzz::Args),
    /// Build the container images from static binaries
    Images(images::Args),
    /// Run the whole protocol in virtual time, under every fault, from seeds
    Sim(sim::Args),
    /// Run everything that says whether Baton is right; the last line is `N passed, N failed`
    Test(test::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Commands::Bench(args) => bench::run(&args),
        Commands::Clients(args) => clients::run(&args),
        Commands::Cluster(args) => cluster::run(args),
        Commands::Demo(args) => demo::run(&args),
        Commands::Fuzz(args) => fuzz::run(&args),
        Commands::Images(args) => images::run(&args),
        Commands::Sim(args) => sim::run(&args),
        Commands::E2e(args) => return test::e2e(args),
        // Its last line is the totals, also when something failed.
        Commands::Test(args) => return test::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
