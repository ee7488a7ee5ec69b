//! Asks the processes at the listed addresses who they are.

use std::collections::HashMap;
use std::time::Duration;

use baton_wire::convert::{Identified, identity_from_wire};
use baton_wire::handshake::shortened;
use baton_wire::peer::peer_client::PeerClient;
use baton_wire::peer::{IdentifyRequest, Identity};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tracing::debug;

use crate::transport::Transport;

/// How long a process may take to answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// One question under way for each address at most.
pub(super) struct Prober {
    group: String,
    transport: Transport,
    clients: HashMap<String, PeerClient<Channel>>,
    calls: JoinSet<(String, Result<Identity, String>)>,
}

// === impl Prober ===

impl Prober {
    /// Knows nobody. Processes of other groups count as absent.
    pub(super) fn new(group: &str, transport: Transport) -> Self {
        Self { group: group.to_owned(), transport, clients: HashMap::new(), calls: JoinSet::new() }
    }

    /// Starts to ask these addresses. Each is answered once by [`Self::next`].
    pub(super) fn ask(&mut self, addresses: Vec<String>) {
        for address in addresses {
            let client = self.client(&address);
            self.calls.spawn(async move {
                let answer = match client {
                    Ok(client) => identify(client).await,
                    Err(error) => Err(error),
                };
                (address, answer)
            });
        }
    }

    /// The next answer; `None` in it means that no process of this group answered there. `None` if nothing is asked.
    pub(super) async fn next(&mut self) -> Option<(String, Option<Identified>)> {
        let (address, answer) = self.calls.join_next().await?.ok()?;
        let identified = answer.and_then(|identity| self.check(identity));
        if let Err(error) = &identified {
            debug!(address, error, "No member at a listed address");
            self.clients.remove(&address);
        }
        Some((address, identified.ok()))
    }

    fn client(&mut self, address: &str) -> Result<PeerClient<Channel>, String> {
        if let Some(client) = self.clients.get(address) {
            return Ok(client.clone());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
        let endpoint = endpoint.connect_timeout(TIMEOUT).tcp_nodelay(true);
        let channel = self.transport.lazy(&endpoint, address, TIMEOUT).map_err(|error| error.to_string())?;
        let client = PeerClient::new(channel);
        self.clients.insert(address.to_owned(), client.clone());
        Ok(client)
    }

    fn check(&self, identity: Identity) -> Result<Identified, String> {
        let identified = identity_from_wire(identity).map_err(|error| error.to_string())?;
        if identified.group == self.group {
            Ok(identified)
        } else {
            Err(format!("it belongs to the group {}", shortened(&identified.group)))
        }
    }
}

async fn identify(mut client: PeerClient<Channel>) -> Result<Identity, String> {
    let answer = timeout(TIMEOUT, client.identify(IdentifyRequest {})).await;
    let answer = answer.map_err(|_| "no answer in time".to_owned())?;
    answer.map(tonic::Response::into_inner).map_err(|status| status.to_string())
}
