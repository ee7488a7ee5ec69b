//! `kubectl baton`: what a person asks of Baton, and the few things that a person does to it.
//!
//! What is said is decided in functions without IO, from objects of the API server; what asks the API server holds no
//! such decision.

mod agent;
mod args;
mod cluster;
mod completion;
mod doctor;
mod failure;
mod get;
mod handoff;
mod human;
mod keys;
mod member;
mod output;
mod release;
mod rollout;
mod status;
mod table;
mod watch;

#[cfg(test)]
mod fixture;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command, RolloutCommand};
use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // It is there already only if somebody else has chosen one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(Failure::new(format!("cannot start the runtime: {error}"))),
    };
    match done {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            failure.tell();
            failure.outcome().into()
        }
    }
}

async fn run(cli: Cli) -> Result<Outcome, Failure> {
    if let Command::Completion(args) = &cli.command {
        return completion::run(args);
    }
    let cluster = Cluster::connect(&cli.cluster).await?;
    match cli.command {
        Command::Status(args) => status::run(&cluster, &args).await,
        Command::Members(args) => member::run(&cluster, &args).await,
        Command::Handoffs(args) => handoff::run(&cluster, &args).await,
        Command::Keys(args) => keys::run(&cluster, &args).await,
        Command::Get(args) => get::run(&cluster, &args).await,
        Command::Watch(args) => watch::run(&cluster, &args).await,
        Command::Rollout(RolloutCommand::Restart(args)) => rollout::run(&cluster, &args).await,
        Command::Release(args) => release::run(&cluster, &args).await,
        Command::Doctor(args) => doctor::run(&cluster, &args).await,
        Command::Completion(args) => completion::run(&args),
    }
}
