//! The app's gRPC API, on loopback: the operations of the HTTP API, on the same data.

mod change;
mod connection;
mod convert;
mod list;
mod meter;
mod presence;
mod problem;
mod request;
mod service;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use baton_api::DESCRIPTORS;
use baton_api::state_server::StateServer;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tower::util::MapRequestLayer;

use crate::engine::Engine;
use meter::{Meter, metered};
use service::StateService;

/// Calls of one connection at once, watches included.
const MAX_STREAMS: u32 = 1024;

/// The largest message: a batch at its bound, with names and numbers.
const MAX_MESSAGE: usize = 20 * 1024 * 1024;

/// How often a silent client is asked whether it is there, and how long it has to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Serves apps until the process ends.
pub(crate) async fn serve(engine: Arc<Engine>, listener: TcpListener) -> anyhow::Result<()> {
    let state = StateServer::new(StateService::new(engine)).max_decoding_message_size(MAX_MESSAGE);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<StateServer<StateService>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .context("the contract cannot be shown")?;
    let unfinished = Arc::new(Meter::default());
    let server = Server::builder()
        .layer(MapRequestLayer::new(move |request| metered(request, &unfinished)))
        .max_concurrent_streams(Some(MAX_STREAMS))
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .add_service(state)
        .add_service(health)
        .add_service(reflection);
    Ok(server.serve_with_incoming(connection::incoming(listener)).await?)
}

#[cfg(test)]
mod tests;
