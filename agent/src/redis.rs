//! The app's Redis front, on loopback and on a Unix socket: the operations of the HTTP API, on the same data.
//!
//! A command is a plain function that looks at its arguments, takes a turn at the keys, and writes its reply. Nothing in it
//! waits: what has to (acknowledgements, `WAIT`, a client that does not read) is waited for by the connection, between
//! commands.

mod budget;
mod call;
mod command;
mod connection;
mod cursor;
mod database;
mod failure;
mod kind;
mod notification;
mod session;
mod table;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use baton_telemetry::{Listener, Socket};
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use crate::engine::Engine;
use crate::metric::Metrics;
use budget::Budget;
use connection::Connection;
use cursor::Cursors;
use notification::Notifications;
pub(crate) use notification::notify;
use session::Session;

/// Connections of both listeners: one that idles is some 4 KiB, and an app that is many processes has some thousands.
const MAX_CONNECTIONS: usize = 20_000;

const FULL: &[u8] = b"-ERR max number of clients reached\r\n";

/// What connections share.
pub(crate) struct Front {
    engine: Arc<Engine>,
    slots: Arc<Semaphore>,
    budget: Budget,
    cursors: Cursors,
    notifications: Notifications,
    /// Connections that there were.
    connections: AtomicU64,
    /// Commands that were carried out, or refused.
    commands: Counter,
    started: Instant,
}

/// Serves apps until the future is dropped. Connections that are open then end on their own.
pub(crate) async fn serve<L: Listener>(front: Arc<Front>, listener: L)
where
    L::Connection: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let stream = listener.accept().await;
        let Ok(slot) = front.slots.clone().try_acquire_owned() else {
            // One attempt that cannot block: the socket's buffer is empty, so it fits.
            let _ = stream.try_write(FULL);
            continue;
        };
        let session = Session::new(front.connections.fetch_add(1, Ordering::Relaxed) + 1);
        let connection = Connection::new(stream, front.clone(), session);
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = connection.serve().await {
                tracing::debug!(%error, "A connection ended with an error");
            }
        });
    }
}

// === impl Front ===

impl Front {
    /// A front of an engine.
    pub(crate) fn new(engine: Arc<Engine>, metrics: &Metrics) -> Arc<Self> {
        Arc::new(Self {
            engine,
            slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            budget: Budget::new(),
            cursors: Cursors::default(),
            notifications: Notifications::new(),
            connections: AtomicU64::new(0),
            commands: metrics.redis_commands(),
            started: Instant::now(),
        })
    }

    /// Connections that are open.
    fn open_connections(&self) -> usize {
        MAX_CONNECTIONS - self.slots.available_permits()
    }
}

#[cfg(test)]
mod tests;
