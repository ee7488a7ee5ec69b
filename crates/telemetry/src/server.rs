//! An HTTP/1 server that holds a bounded number of connections.
//!
//! A connection past the bound is answered 503 and closed at once, so that its client learns why. A panic in a handler
//! costs its connection only.

mod gather;
mod socket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;

use gather::gathered;
pub use socket::{Listener, Socket};

/// The read buffer of a connection, and so the greatest head of a request. A key of 1 KiB takes 3 KiB when each of its
/// bytes is percent-encoded; the rest is for headers.
const MAX_BUFFER: usize = 32 * 1024;

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
    /// How long a client may take nothing of an answer before it is cut off.
    pub stall: Duration,
}

/// Serves until the future is dropped. Connections that are open then end on their own.
pub async fn serve_http(listener: impl Listener, router: Router, limits: ServerLimits) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(MAX_BUFFER);
    loop {
        let stream = listener.accept().await;
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            refuse(&stream);
            continue;
        };
        let (http, service) = (http.clone(), TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            let _slot = slot;
            let serve = |stream| async move {
                http.serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
            };
            if let Err(error) = gathered(stream, limits.stall, serve).await {
                tracing::debug!(%error, "A connection ended with an error");
            }
        });
    }
}

/// Says why in one attempt that cannot block: the socket's buffer is empty, so it fits.
fn refuse(stream: &impl Socket) {
    let _ = stream.try_write(FULL);
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Longer than anything takes here, on a machine that does other things too.
    const PATIENCE: Duration = Duration::from_secs(120);

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";

    async fn serve(connections: usize, idle: Duration) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let router =
            Router::new().route("/", get(async || "hi")).route("/panic", get(fails)).route("/large", get(large));
        tokio::spawn(serve_http(listener, router, ServerLimits { connections, idle, stall: Duration::from_secs(1) }));
        address
    }

    async fn fails() -> &'static str {
        panic!("as the test asks")
    }

    async fn large() -> Vec<u8> {
        vec![b'x'; 64 << 20]
    }

    async fn send(address: std::net::SocketAddr, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(bytes).await.expect("sends");
        stream
    }

    /// Reads to the end; a reset connection has ended too.
    async fn rest(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text).await;
        String::from_utf8_lossy(&text).into_owned()
    }

    #[tokio::test]
    async fn a_connection_too_many_is_told_why_and_a_later_one_is_served() {
        let address = serve(1, Duration::from_secs(30)).await;
        let mut first = send(address, ASK).await;
        let mut answer = [0; 12];
        first.read_exact(&mut answer).await.expect("an answer");
        let refused = rest(send(address, b"").await).await;
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("too_many_connections"), "{refused}");
        let (head, body) = refused.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{refused}");
        drop(first);
        let served = async {
            let ask = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n";
            while !rest(send(address, ask).await).await.ends_with("hi") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, served).await.expect("it is served");
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_is_closed() {
        let address = serve(8, Duration::from_millis(100)).await;
        let silent = send(address, b"GET / HT").await;
        let answer = tokio::time::timeout(PATIENCE, rest(silent)).await.expect("in time");
        assert!(!answer.contains("200"), "{answer}");
    }

    #[tokio::test]
    async fn a_panic_costs_its_connection_only() {
        let address = serve(8, Duration::from_secs(30)).await;
        let answer = rest(send(address, b"GET /panic HTTP/1.1\r\n\r\n").await).await;
        assert_eq!(answer, "");
        let mut next = send(address, ASK).await;
        let mut answer = [0; 12];
        next.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200");
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_cut_off_and_a_slow_one_is_not() {
        let address = serve(8, Duration::from_secs(30)).await;
        let ask = b"GET /large HTTP/1.1\r\nconnection: close\r\n\r\n";
        let (stalled, mut slow) = (send(address, ask).await, send(address, ask).await);
        let (mut taken, mut buffer) = (0, vec![0; 1 << 20]);
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            taken += slow.read(&mut buffer).await.expect("it is not cut off");
        }
        let rest = rest(slow).await;
        assert!(taken + rest.len() > 64 << 20, "{taken} and {}", rest.len());
        let got = self::rest(stalled).await.len();
        assert!(got < 64 << 20, "{got}");
    }
}
