//! How this agent talks to others: by mutual TLS, or in plain text where nobody gave it a certificate.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use baton_identity::{ConnectError, CredentialError, Expected, Identity, Wallet, client, connect, incoming};
use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::server::Router;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::refusal::Refusals;

/// How this agent talks to others.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    /// Without one, in plain text.
    wallet: Option<Arc<Wallet>>,
    refusals: Refusals,
}

/// A connection that was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error(transparent)]
    Http(#[from] tonic::transport::Error),
}

// === impl Transport ===

impl Transport {
    /// In plain text: a peer is who it says.
    pub(crate) fn plain(refusals: Refusals) -> Self {
        Self { wallet: None, refusals }
    }

    /// By mutual TLS, with what is in the wallet at each handshake.
    pub(crate) fn mutual(wallet: Arc<Wallet>, refusals: Refusals) -> Self {
        Self { wallet: Some(wallet), refusals }
    }

    /// What peers are shown, if anything.
    pub(crate) const fn wallet(&self) -> Option<&Arc<Wallet>> {
        self.wallet.as_ref()
    }

    /// Who was turned away.
    pub(crate) const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Connects to `host:port`, and answers who is there if that was proved.
    pub(crate) async fn connect(
        &self,
        endpoint: Endpoint,
        address: &str,
        expected: Expected,
        limit: Duration,
    ) -> Result<(Channel, Option<Identity>), TransportError> {
        let Some(wallet) = &self.wallet else { return Ok((endpoint.connect().await?, None)) };
        let (stream, identity) = connect(address, wallet.client_config(expected)?, limit).await?;
        let mut stream = Some(stream);
        // A connection that ends is not made again behind the back of whoever checked the identity.
        let once = service_fn(move |_: Uri| {
            let stream = stream.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
            async move { stream.map(TokioIo::new) }
        });
        Ok((endpoint.connect_with_connector(once).await?, Some(identity)))
    }

    /// A channel to a peer that connects when it is used.
    pub(crate) fn lazy(&self, endpoint: &Endpoint, address: &str, limit: Duration) -> Result<Channel, TransportError> {
        let Some(wallet) = &self.wallet else { return Ok(endpoint.connect_lazy()) };
        let (config, address) = (wallet.client_config(Expected::OwnGroup)?, address.to_owned());
        Ok(endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| {
            let (config, address) = (config.clone(), address.clone());
            async move {
                let (stream, _) = connect(&address, config, limit).await?;
                Ok::<TokioIo<client::TlsStream<TcpStream>>, ConnectError>(TokioIo::new(stream))
            }
        })))
    }

    /// What somebody with this certificate goes by who trusts these roots and takes any member.
    #[cfg(test)]
    pub(crate) fn trusting(&self, roots: &str) -> Arc<baton_identity::ClientConfig> {
        let wallet = self.wallet.as_ref().expect("a wallet");
        wallet.trust(roots).expect("roots");
        wallet.client_config(Expected::Anybody).expect("a configuration")
    }

    /// Serves whoever may connect, until the process ends.
    pub(crate) async fn serve(&self, router: Router, listener: TcpListener) -> anyhow::Result<()> {
        let Some(wallet) = &self.wallet else {
            let connections = TcpListenerStream::new(listener).inspect(|connection| {
                if let Ok(connection) = connection {
                    let _ = connection.set_nodelay(true);
                }
            });
            return Ok(router.serve_with_incoming(connections).await?);
        };
        let refusals = self.refusals.clone();
        let config = wallet.server_config(Expected::OwnGroup)?;
        let connections = incoming(listener, config, move |from, refusal| refusals.stranger(from, refusal));
        Ok(router.serve_with_incoming(connections).await?)
    }
}
