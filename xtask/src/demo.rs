//! `cargo xtask demo`: a game server loses its players in a rollout without Baton, and none with it.
//!
//! The same crowd plays on two deployments of the same server, with Baton and without, while both are restarted. What
//! the servers acknowledged is then asked back from each of them. Whoever likes looks on in a browser.

mod crowd;
pub(crate) mod kube;
mod kubernetes;
mod page;
mod pods;
mod processes;
mod report;
mod screen;
mod table;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::cluster::Target;
use report::{Report, Side};
use screen::Screen;

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each deployment is restarted
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    restarts: u32,
    /// How many play at a time
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    players: u32,
    /// Moves per second, of all players together
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// Write the numbers to this file, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Leave the servers (and the cluster) running at the end
    #[arg(long)]
    keep: bool,
    /// Use processes on this machine instead of a Kubernetes
    #[arg(long)]
    local: bool,
    /// The cargo profile of what is run: `release`, or with --local `dev`
    #[arg(long)]
    profile: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// What both places need to know.
struct Plan {
    restarts: u32,
    players: u32,
    rate: u32,
    keep: bool,
}

/// Runs both sides, prints the table, and fails if Baton lost something or its absence did not.
pub(crate) fn run(args: &Args) -> Result<()> {
    let plan = Plan { restarts: args.restarts, players: args.players, rate: args.rate, keep: args.keep };
    let report = if args.local || !can_make_cluster(&args.target) {
        processes::run(&plan, args.profile.as_deref().unwrap_or("dev"))?
    } else {
        kubernetes::run(&plan, &args.target, args.profile.as_deref().unwrap_or("release"))?
    };
    println!("{}", table::render(&report));
    if let Some(path) = &args.report {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    match report.verdict() {
        Ok(()) => Ok(()),
        Err(why) => bail!(why),
    }
}

/// A cluster of its own needs Linux and root; one that is there already needs neither.
fn can_make_cluster(target: &Target) -> bool {
    target.context.is_some() || (cfg!(target_os = "linux") && rustix::process::geteuid().is_root())
}
