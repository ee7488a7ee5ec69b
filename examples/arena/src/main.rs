//! Arena: a small multiplayer game server, and the crowd that plays on it.
//!
//! `arena` alone serves the game. The other commands exist to prove something about it: `load` plays with many
//! players through a Service, `check` asks every server afterwards whether it still knows what was acknowledged, and `service`
//! is the Service where there is no Kubernetes.

mod api;
mod check;
mod game;
mod http;
mod live;
mod load;
mod page;
mod scene;
mod serve;
mod service;
mod store;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// A small multiplayer game server whose players survive a rollout.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the game (the default).
    Serve(serve::Options),
    /// Play with many players, and record what was acknowledged.
    Load(load::Options),
    /// Ask every server whether it still knows what a load recorded.
    Check(check::Options),
    /// Forward connections to the servers, each to one of them.
    Service(service::Options),
    /// Tell the load that watches this file (its --until-file) to finish.
    Finish {
        /// The file to make.
        file: std::path::PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("ARENA_LOG").unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let cli = Cli::parse();
    let done = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(options) => serve::run(options).await,
        Command::Load(options) => load::run(options).await,
        Command::Check(options) => check::run(options).await,
        Command::Service(options) => service::run(options).await,
        Command::Finish { file } => std::fs::write(file, "").map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("arena: {error:#}");
            ExitCode::FAILURE
        }
    }
}
