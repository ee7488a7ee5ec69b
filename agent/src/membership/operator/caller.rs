//! Connections to the operator, and what is shown on them.

use std::time::Duration;

use baton_identity::Expected;
use tonic::transport::{Channel, Endpoint};

use crate::membership::operator::{StreamEnd, causes};
use crate::transport::Transport;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon a dead connection is noticed: a ping after this much silence, answered within as much again.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Where the operator is, and how it is talked to.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// `host:port`.
    pub(super) address: String,
    pub(super) transport: Transport,
}

// === impl Caller ===

impl Caller {
    /// Calls the operator at `https://host:port`.
    pub(crate) fn new(url: &str, transport: Transport) -> Self {
        let address = url.trim_start_matches("https://").trim_end_matches('/').to_owned();
        Self { address, transport }
    }

    /// Connects to an operator that proves to be one.
    pub(super) async fn connect(&self) -> Result<Channel, StreamEnd> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))
            .map_err(|error| StreamEnd::Connect(causes(&error)))?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        let connected = self.transport.connect(endpoint, &self.address, Expected::Operator, CONNECT_TIMEOUT).await;
        connected.map(|(channel, _)| channel).map_err(|error| StreamEnd::Connect(causes(&error)))
    }
}
