//! The server's life: listen, and end without cutting anyone off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::api;
use crate::game::Game;
use crate::live::Live;
use crate::page::Feed;
use crate::store::Store;

/// How long requests in flight may take once the server has stopped listening. With the stop delay it stays far
/// below a pod's default grace period of 30 s, so that the agent, which is stopped last, keeps its share.
const FINISH: Duration = Duration::from_secs(10);

/// Flags of `arena serve`; in a pod the environment is enough.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where to listen.
    #[arg(long, env = "ARENA_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// The Baton agent in this pod; the injector sets it. Without it, players live in this process only.
    #[arg(long, env = "BATON_URL")]
    baton_url: Option<String>,
    /// Seconds between SIGTERM and the end of listening: Services hear late that a pod is leaving, and go on sending.
    #[arg(long, env = "ARENA_STOP_DELAY", default_value = "3", value_parser = seconds)]
    stop_delay: Duration,
}

/// Serves until SIGTERM, then ends in peace.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    // An empty variable in a manifest means the same as none.
    let url = options.baton_url.filter(|url| !url.is_empty());
    let listener = TcpListener::bind(options.listen).await.with_context(|| format!("listen on {}", options.listen))?;
    tracing::info!(listen = %listener.local_addr()?, players = url.as_deref().unwrap_or("memory"), "Arena is open");

    let (store, live) = (Arc::new(Store::open(url)), Arc::new(Live::default()));
    tokio::spawn(live.clone().run(store.clone()));
    let (close, closing) = watch::channel(false);
    let router = api::router(Game::new(store, live.clone()), Feed::new(live, closing.clone()));
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
        tracing::info!(delay = ?options.stop_delay, "Arena is closing");
        tokio::time::sleep(options.stop_delay).await;
        close.send_replace(true);
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stop) => served?,
        () = overdue(closing) => tracing::warn!("Some requests did not end in time"),
    }
    Ok(())
}

/// Ends when requests have had their time after the listener was closed.
async fn overdue(mut closing: watch::Receiver<bool>) {
    match closing.wait_for(|closing| *closing).await.is_ok() {
        true => tokio::time::sleep(FINISH).await,
        false => std::future::pending().await,
    }
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
