//! An HTTP/1 server that holds a bounded number of connections.
//!
//! A connection past the bound is answered 503 and closed at once, so that its client learns why. A panic in a handler
//! costs its connection only.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// The read buffer of a connection, and so the greatest head of a request. A key of 1 KiB takes 3 KiB when each of its
/// bytes is percent-encoded; the rest is for headers.
const MAX_BUFFER: usize = 32 * 1024;

/// The pause after a failed accept, which means that the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
connection: close\r\ncontent-length: 118\r\n\r\n\
{\"code\":\"too_many_connections\",\"message\":\"too many open connections\",\"hint\":\"reuse connections, and try again later\"}\n";

/// Bounds of one server.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// Connections open at once.
    pub connections: usize,
    /// How long a connection may take for the head of a request, and so also how long it may idle.
    pub idle: Duration,
}

/// Serves until the future is dropped. Connections that are open then end on their own.
pub async fn serve_http(listener: TcpListener, router: Router, limits: ServerLimits) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(MAX_BUFFER);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "Cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            refuse(&stream);
            continue;
        };
        // Without it, an answer of two segments waits for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "A connection ended with an error");
            }
        });
    }
}

/// Says why in one attempt that cannot block: the socket's buffer is empty, so it fits.
fn refuse(stream: &TcpStream) {
    let _ = stream.try_write(FULL);
}
