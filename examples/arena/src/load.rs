//! A crowd: many players, each of them a client that moves, gets an answer, and remembers what was acknowledged.
//!
//! It goes on until it is told to finish, then writes the record that [`crate::check`] holds against every server.

mod player;
mod record;
mod tally;
mod target;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use record::{Fate, Record, Row};
pub(crate) use target::{Endpoints, addresses};

use crate::check;
use crate::serve::seconds;
use player::{Habits, Player};
use tally::Tally;

/// How often progress is printed and the file that ends the load is looked for.
const BEAT: Duration = Duration::from_millis(500);

/// Flags of `arena load`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    endpoints: Endpoints,
    /// How many play at a time.
    #[arg(long, default_value_t = 100)]
    players: usize,
    /// Moves per second, of all players together.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// The chance, at each move, that a player leaves instead; another one takes its place.
    #[arg(long, default_value_t = 0.01)]
    leave: f64,
    /// Each player stays with the server that it met first, as it must when servers share nothing.
    #[arg(long)]
    sticky: bool,
    /// Finish after so many seconds.
    #[arg(long, value_parser = seconds)]
    duration: Option<Duration>,
    /// Finish when this file exists.
    #[arg(long)]
    until_file: Option<PathBuf>,
    /// Where the record goes.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Then check the record, and print the verdict: base URLs, where a name stands for all of its addresses.
    #[arg(long)]
    check: Vec<String>,
    /// Then check every server that is a target at the end.
    #[arg(long, conflicts_with = "check")]
    check_targets: bool,
    #[command(flatten)]
    scope: check::Scope,
}

/// Plays, records, and checks if asked to.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    anyhow::ensure!(options.players > 0 && options.rate > 0.0, "--players and --rate must be above 0");
    let targets = options.endpoints.clone().watch().await?;
    let tally = Arc::new(Tally::default());
    let (finish, finishing) = watch::channel(false);
    let habits = Habits {
        pace: Duration::try_from_secs_f64(options.players as f64 / options.rate).context("--rate is too low")?,
        leave: options.leave.clamp(0.0, 1.0),
        sticky: options.sticky,
        tag: rand::random_range(0..1 << 24),
    };

    let mut crowd = JoinSet::new();
    for slot in 0..options.players {
        crowd.spawn(Player::new(slot, habits, targets.clone(), tally.clone(), finishing.clone()).play());
    }
    finished(&options, &tally).await?;
    finish.send_replace(true);
    crowd.join_all().await;

    let record = tally.record();
    if let Some(path) = &options.report {
        record.save(path)?;
    }
    print(&serde_json::json!({ "record": record.summary() }))?;
    let servers = match options.check_targets {
        true => options.endpoints.urls()?,
        false => options.check,
    };
    if servers.is_empty() {
        return Ok(());
    }
    check::judge_and_print(&record, &servers, &options.scope).await
}

/// Prints the tally at every beat until the file, the time or SIGTERM says to finish.
async fn finished(options: &Options, tally: &Tally) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let end = options.duration.map(|duration| tokio::time::Instant::now() + duration);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            () = tokio::time::sleep(BEAT) => {}
        }
        print(&serde_json::json!({ "progress": tally.progress() }))?;
        let over = end.is_some_and(|end| tokio::time::Instant::now() >= end);
        let told = options.until_file.as_ref().is_some_and(|file| file.exists());
        if over || told {
            return Ok(());
        }
    }
}

/// One JSON object per line: for programs that follow a load.
pub(crate) fn print(line: &serde_json::Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
