//! A Service's stand-in where there is no Kubernetes: one address, behind which each connection gets to one of the servers.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::load::Endpoints;

/// Servers that are tried for a connection: one may be gone before that is known.
const TRIES: usize = 5;

/// Flags of `arena service`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    #[command(flatten)]
    endpoints: Endpoints,
}

/// Forwards connections until it is killed.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let listener = TcpListener::bind(options.listen).await.with_context(|| format!("listen on {}", options.listen))?;
    let targets = options.endpoints.watch().await?;
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(forward(client, targets.clone()));
    }
}

async fn forward(mut client: TcpStream, targets: watch::Receiver<Vec<SocketAddr>>) {
    for _ in 0..TRIES {
        let target = {
            let targets = targets.borrow();
            targets[rand::random_range(0..targets.len())]
        };
        if let Ok(mut server) = TcpStream::connect(target).await {
            // Either side may cut it off.
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}
