//! A connection whose answers leave together when their requests came together: a system call for each would cost more
//! than the request.
//!
//! What the server writes is kept until it has nothing more to do at once, and is sent then, before it waits. hyper's own
//! `pipeline_flush` does not do: with it, an answer to a request with malformed bytes behind it is never sent.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::server::socket::Socket;

/// What is kept at most: more than the answers to one read of requests, which has 32 KiB.
const MAX_KEPT: usize = 64 * 1024;

/// What an idle connection keeps at most: there may be thousands of them.
const MAX_IDLE: usize = 16 * 1024;

/// The server's side of a connection.
pub(super) struct Gather<S>(Arc<Outgoing<S>>);

struct Outgoing<S> {
    stream: S,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// Bytes sent before.
    sent: u64,
}

/// A client that does not take what there is for it.
struct Stall {
    /// Bytes sent when this began.
    sent: u64,
    end: Pin<Box<Sleep>>,
}

/// Serves a connection to its end; `serve` gets the stream to read from and write to. A client that takes nothing of
/// what there is for it for so long is cut off.
pub(super) async fn gathered<S, F, E>(
    stream: S,
    patience: Duration,
    serve: impl FnOnce(Gather<S>) -> F,
) -> Result<(), E>
where
    S: Socket,
    F: Future<Output = Result<(), E>>,
    E: From<io::Error>,
{
    let outgoing = Arc::new(Outgoing { stream, kept: Mutex::default() });
    let mut stall = None;
    let mut serving = pin!(serve(Gather(outgoing.clone())));
    let mut ended = None;
    std::future::poll_fn(|cx| {
        if ended.is_none()
            && let Poll::Ready(end) = serving.as_mut().poll(cx)
        {
            ended = Some(end);
        }
        let sent = outgoing.send(cx)?;
        if sent.is_pending() {
            let total = outgoing.kept().sent;
            let stalled = stall.get_or_insert_with(|| Stall::new(total, patience));
            ready!(stalled.poll(cx, total, patience));
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        }
        stall = None;
        ended.take().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

// === impl Outgoing ===

impl<S: Socket> Outgoing<S> {
    /// Sends all that is kept.
    fn send(&self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        let mut kept = self.kept();
        while !kept.bytes.is_empty() {
            match self.stream.try_write(&kept.bytes) {
                Ok(sent) => {
                    kept.bytes.drain(..sent);
                    kept.sent += sent as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.stream.poll_write_ready(cx) {
                    Poll::Ready(ready) => ready?,
                    Poll::Pending => return Ok(Poll::Pending),
                },
                Err(error) => {
                    // Nobody will take the rest.
                    kept.bytes.clear();
                    return Err(error);
                }
            }
        }
        if kept.bytes.capacity() > MAX_IDLE {
            kept.bytes = Vec::new();
        }
        Ok(Poll::Ready(()))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Stall ===

impl Stall {
    fn new(sent: u64, patience: Duration) -> Self {
        Self { sent, end: Box::pin(sleep(patience)) }
    }

    /// Ready when nothing was sent for too long.
    fn poll(&mut self, cx: &mut Context<'_>, sent: u64, patience: Duration) -> Poll<()> {
        if self.sent != sent {
            *self = Self::new(sent, patience);
        }
        self.end.as_mut().poll(cx)
    }
}

// === impl Gather ===

impl<S: Socket> AsyncRead for Gather<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = &self.0.stream;
        loop {
            ready!(stream.poll_read_ready(cx))?;
            match stream.try_read(buf) {
                Ok(_) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl<S: Socket> AsyncWrite for Gather<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.0.kept().bytes.len() >= MAX_KEPT {
            ready!(self.0.send(cx)?);
        }
        let taken = bytes.len().min(MAX_KEPT);
        self.0.kept().bytes.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    /// [`gathered`] sends what is kept before the server waits for anything.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.send(cx).map_or_else(|error| Poll::Ready(Err(error)), |sent| sent.map(Ok))
    }
}
