//! The accepting side: handshakes in tasks of their own, so that one that stalls delays nobody.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;

use crate::refusal::Refusal;

/// Handshakes under way at once: more than agents that come back together need, few enough that strangers who stall
/// cannot fill the memory.
const HANDSHAKES: usize = 512;

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections that wait to be taken after their handshake.
const WAITING: usize = 16;

/// The pause after a failed accept, which means that the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections whose other side is who it should be.
pub type Incoming = ReceiverStream<io::Result<TlsStream<TcpStream>>>;

/// Accepts until the stream is dropped. `refused` hears of each connection that does not get through.
pub fn incoming(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    refused: impl Fn(SocketAddr, &Refusal) + Send + Sync + 'static,
) -> Incoming {
    let (accepted, stream) = mpsc::channel(WAITING);
    let acceptor = TlsAcceptor::from(config);
    tokio::spawn(async move {
        let done = accepted.clone();
        tokio::select! {
            () = accept(listener, acceptor, accepted, Arc::new(refused)) => {}
            () = done.closed() => {}
        }
    });
    ReceiverStream::new(stream)
}

async fn accept<R>(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    accepted: mpsc::Sender<io::Result<TlsStream<TcpStream>>>,
    refused: Arc<R>,
) where
    R: Fn(SocketAddr, &Refusal) + Send + Sync + 'static,
{
    let slots = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        // Without a free slot the kernel's queue holds what comes.
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (acceptor, accepted, refused) = (acceptor.clone(), accepted.clone(), refused.clone());
        tokio::spawn(async move {
            let shaken = handshake(stream, acceptor).await;
            drop(slot);
            match shaken {
                // Nobody takes it any more if the server has ended.
                Ok(stream) => drop(accepted.send(Ok(stream)).await),
                Err(refusal) => refused(from, &refusal),
            }
        });
    }
}

async fn handshake(stream: TcpStream, acceptor: TlsAcceptor) -> Result<TlsStream<TcpStream>, Refusal> {
    // Without it, an answer of two segments waits for the other side's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let shaken = timeout(PATIENCE, acceptor.accept(stream)).await.map_err(|_| Refusal::Slow)?;
    shaken.map_err(|error| Refusal::of(&error))
}
