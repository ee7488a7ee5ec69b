//! The operator's binary.

use baton_operator::args::Args;
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // The client's own word on each failed call repeats what the operator says once.
    let filter = format!("kube_client::client::builder=off,{}", args.log);
    baton_telemetry::init_logs(&filter, args.log_format)?;
    baton_operator::run::run(args).await
}
