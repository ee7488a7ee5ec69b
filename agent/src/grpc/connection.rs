//! A bounded number of connections.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::transport::server::Connected;

/// A gRPC client has one connection, or a few. The rest wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 512;

/// One that counts while it is open.
pub(super) struct Connection {
    stream: TcpStream,
    _slot: OwnedSemaphorePermit,
}

/// Connections as they come, and as there is room for them.
pub(super) fn incoming(listener: TcpListener) -> impl Stream<Item = io::Result<Connection>> {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    stream::unfold(listener, move |listener| {
        let slots = slots.clone();
        async move {
            let slot = slots.acquire_owned().await.ok()?;
            let accepted = listener.accept().await.map(|(stream, _)| {
                // Without it, small answers wait for the client's delayed acknowledgement.
                let _ = stream.set_nodelay(true);
                Connection { stream, _slot: slot }
            });
            Some((accepted, listener))
        }
    })
}

// === impl Connection ===

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
