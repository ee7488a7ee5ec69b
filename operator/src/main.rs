//! The operator's binary.

use baton_operator::args::Args;
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    baton_telemetry::init_logs(&args.log, args.log_format)?;
    baton_operator::run::run(args).await
}
