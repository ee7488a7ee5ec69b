//! A TCP proxy that counts what passes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::spawn;

use anyhow::Result;

const BUFFER: usize = 64 * 1024;

/// The proxy in front of one agent. Its connections end with the processes that hold them.
pub(crate) struct Meter {
    port: u16,
    bytes: Arc<AtomicU64>,
}

// === impl Meter ===

impl Meter {
    /// Listens, and forwards to a port on loopback.
    pub(crate) fn start(to: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let bytes = Arc::new(AtomicU64::new(0));
        let counter = bytes.clone();
        spawn(move || {
            for client in listener.incoming().flatten() {
                // Nobody listens yet, or any more: the client sees its connection closed.
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let (Ok(back), Ok(forth)) = (client.try_clone(), server.try_clone()) else { continue };
                let counters = [counter.clone(), counter.clone()];
                let [there, here] = counters;
                spawn(move || carry(client, forth, &there));
                spawn(move || carry(server, back, &here));
            }
        });
        Ok(Self { port, bytes })
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What has passed so far, both ways: payload of TCP, without its headers.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
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
