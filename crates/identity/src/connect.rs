//! The connecting side.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::name::Identity;
use crate::refusal::Refusal;

/// A connection that was not made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody was reached.
    #[error("cannot connect: {0}")]
    Io(#[from] io::Error),
    /// Who was reached is not whom this side talks to.
    #[error("the other side is refused: {0}")]
    Refused(#[from] Refusal),
}

/// Connects to `host:port` and answers who is there.
pub async fn connect(
    address: &str,
    config: Arc<ClientConfig>,
    limit: Duration,
) -> Result<(TlsStream<TcpStream>, Identity), ConnectError> {
    let silent = |_| io::Error::from(io::ErrorKind::TimedOut);
    let stream = timeout(limit, TcpStream::connect(address)).await.map_err(silent)??;
    stream.set_nodelay(true)?;
    // Nothing looks at this name; TLS wants one.
    let name = ServerName::try_from("baton.invalid").map_err(io::Error::other)?;
    let shaken = timeout(limit, TlsConnector::from(config).connect(name, stream)).await.map_err(|_| Refusal::Slow)?;
    let stream = shaken.map_err(|error| Refusal::of(&error))?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).ok_or(Refusal::NoCertificate)?;
    let identity = Identity::of(certificate).map_err(Refusal::from)?;
    Ok((stream, identity))
}
