//! A TCP proxy that counts what passes, each connection for itself.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::spawn;

use anyhow::Result;

const BUFFER: usize = 64 * 1024;

/// The proxy in front of one agent. Its connections end with the processes that hold them.
pub(crate) struct Meter {
    port: u16,
    connections: Connections,
}

/// The bytes of each connection that there ever was, in their order.
type Connections = Arc<Mutex<Vec<Arc<AtomicU64>>>>;

// === impl Meter ===

impl Meter {
    /// Listens, and forwards to a port on loopback.
    pub(crate) fn start(to: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let connections = Connections::default();
        let all = connections.clone();
        spawn(move || {
            for client in listener.incoming().flatten() {
                // Nobody listens yet, or any more: the client sees its connection closed.
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let (Ok(back), Ok(forth)) = (client.try_clone(), server.try_clone()) else { continue };
                let there = Arc::new(AtomicU64::new(0));
                let here = there.clone();
                all.lock().unwrap_or_else(PoisonError::into_inner).push(there.clone());
                spawn(move || carry(client, forth, &there));
                spawn(move || carry(server, back, &here));
            }
        });
        Ok(Self { port, connections })
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What has passed so far on each connection, both ways: payload of TCP, without its headers.
    pub(crate) fn bytes(&self) -> Vec<u64> {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.iter().map(|bytes| bytes.load(Ordering::Relaxed)).collect()
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, bytes: &AtomicU64) {
    // Without it, small frames would wait for each other.
    let _ = to.set_nodelay(true);
    let mut buffer = vec![0; BUFFER];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        bytes.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // Both directions: the other one is of no use alone.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
