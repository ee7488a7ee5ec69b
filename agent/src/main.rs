//! The agent of Baton: the sidecar that keeps an app's state alive while its pods are replaced.

mod admin;
mod channel;
mod collection;
mod config;
mod control;
mod credential;
mod departure;
mod engine;
mod glob;
mod grpc;
mod http;
mod link;
mod media_type;
mod membership;
mod metric;
mod open_file;
mod presence;
mod problem;
mod redis;
mod refusal;
mod run;
mod socket;
mod transport;
mod ttl;
mod witness;

use std::process::ExitCode;

use clap::Parser;

use crate::config::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(*args),
        Command::Drain(args) => run::call(control::drain(&args)),
        Command::Release(args) => run::call(control::release(&args)),
        Command::Status(args) => run::call(control::status(&args)),
    }
}
