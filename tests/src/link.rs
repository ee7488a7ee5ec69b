//! A TCP proxy between two agents: slow, thin, or cut, as a network is on a bad day.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::Result;

/// Chunks on their way: with [`CHUNK`], less than a second of a thin link.
const CHUNKS: usize = 64;
const CHUNK: usize = 8 * 1024;
/// How often a cut link looks whether it is whole again.
const LOOK: Duration = Duration::from_millis(10);

/// What a network does to everything that passes.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// How long each byte is under way.
    pub delay: Duration,
    /// How many bytes pass in a second, each way.
    pub bytes_per_second: u64,
}

/// The proxy in front of one agent. Connections end with the processes that hold them.
pub struct Link {
    port: u16,
    cut: Arc<AtomicBool>,
}

// === impl Link ===

impl Link {
    /// Listens, and forwards to a port on loopback.
    pub fn start(to: u16, weather: Weather) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let cut = Arc::new(AtomicBool::new(false));
        let shared = cut.clone();
        spawn(move || {
            for client in listener.incoming().flatten() {
                // Nobody listens yet, or any more: the client sees its connection closed.
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let (Ok(back), Ok(forth)) = (client.try_clone(), server.try_clone()) else { continue };
                carry(client, forth, weather, shared.clone());
                carry(server, back, weather, shared.clone());
            }
        });
        Ok(Self { port, cut })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets nothing pass, without closing anything, or lets it pass again.
    pub fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }
}

/// One direction: a reader that stamps, and a writer that waits.
fn carry(from: TcpStream, to: TcpStream, weather: Weather, cut: Arc<AtomicBool>) {
    let (sender, receiver) = sync_channel(CHUNKS);
    spawn(move || read(from, &sender, weather.delay));
    spawn(move || write(to, &receiver, weather.bytes_per_second, &cut));
}

fn read(mut from: TcpStream, sender: &SyncSender<(Instant, Vec<u8>)>, delay: Duration) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if sender.send((Instant::now() + delay, buffer[..length].to_vec())).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Read);
}

fn write(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>, bytes_per_second: u64, cut: &AtomicBool) {
    while let Ok((due, chunk)) = receiver.recv() {
        sleep(due.saturating_duration_since(Instant::now()));
        sleep(Duration::from_secs_f64(chunk.len() as f64 / bytes_per_second as f64));
        while cut.load(Ordering::Relaxed) {
            sleep(LOOK);
        }
        if to.write_all(&chunk).is_err() {
            break;
        }
    }
    // Both directions: the other one is of no use alone.
    let _ = to.shutdown(Shutdown::Both);
}
