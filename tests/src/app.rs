//! An app beside its agent: it writes, remembers what was acknowledged, and reads its keys again when it moves.
//!
//! A seat is what a game session or a user is: it has keys of its own, and one app at a time that writes them. When
//! its pod is replaced, the app on the new pod goes on from what it finds there, which must be what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::http::Http;
use crate::ledger::{Deletion, Ledger};
use crate::wait::PATIENCE;

/// The map that all apps write to.
pub const MAP: &str = "sessions";

/// Keys of one seat that are alive at a time.
const KEYS: usize = 12;
/// Every so many writes one is a deletion, and a new key begins.
const DELETE_EVERY: usize = 25;
/// The pause between two writes of one app.
const PACE: Duration = Duration::from_millis(4);
/// How long one write may take: more than the agent waits for acks.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running app.
pub struct App {
    seat: usize,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

struct Writer {
    http: Http,
    base: String,
    query: &'static str,
    seat: usize,
    ledger: Arc<Ledger>,
}

// === impl App ===

impl App {
    /// Starts to write for a seat through the agent at `url`. `query` goes with every write: `""`, `"?acks=all"` ...
    pub fn start(url: &str, query: &'static str, seat: usize, ledger: &Arc<Ledger>) -> Self {
        let base = format!("{url}/v1/maps/{MAP}/entries");
        let writer = Writer { http: Http::new(TIMEOUT), base, query, seat, ledger: ledger.clone() };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || writer.run(&stopped));
        Self { seat, stop, thread: Some(thread) }
    }

    /// Whose keys it writes.
    pub fn seat(&self) -> usize {
        self.seat
    }

    /// Ends it: no write is under way any more.
    pub fn stop(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return Ok(()) };
        match thread.join() {
            Ok(outcome) => outcome,
            Err(_) => anyhow::bail!("an app has panicked"),
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

// === impl Writer ===

impl Writer {
    fn run(self, stop: &AtomicBool) -> Result<()> {
        let mut keys = Vec::new();
        for (key, fact) in self.ledger.living(&self.prefix()) {
            self.found(&key, fact.acknowledged)?;
            keys.push((key, fact.tried));
        }
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            turn += 1;
            if keys.len() < KEYS {
                keys.push((format!("{}{}", self.prefix(), self.ledger.new_name()), 0));
            }
            let at = turn % keys.len();
            if turn % DELETE_EVERY == 0 {
                let (key, _) = keys.swap_remove(at);
                self.delete(&key);
            } else {
                let (key, number) = &mut keys[at];
                *number += 1;
                self.put(key, *number);
            }
            std::thread::sleep(PACE);
        }
        Ok(())
    }

    fn prefix(&self) -> String {
        format!("seat-{}.", self.seat)
    }

    /// A write that is not acknowledged may have happened all the same.
    fn put(&self, key: &str, number: u64) {
        self.ledger.note(key, |fact| fact.tried = number);
        let url = format!("{}/{key}{}", self.base, self.query);
        let reply = self.http.send("PUT", &url, &[("content-type", "text/plain")], number.to_string().as_bytes());
        if reply.is_ok_and(|reply| reply.ok()) {
            self.ledger.note(key, |fact| fact.acknowledged = number);
        }
    }

    fn delete(&self, key: &str) {
        self.ledger.note(key, |fact| fact.deletion = Deletion::Unclear);
        let url = format!("{}/{key}{}", self.base, self.query);
        let reply = self.http.send("DELETE", &url, &[], &[]);
        if reply.is_ok_and(|reply| reply.status == 204) {
            self.ledger.note(key, |fact| fact.deletion = Deletion::Acknowledged);
        }
    }

    /// The agent must have what was acknowledged before this app began.
    fn found(&self, key: &str, acknowledged: u64) -> Result<()> {
        let begun = Instant::now();
        loop {
            let found = self.get(key);
            match &found {
                Ok(number) if *number >= acknowledged => return Ok(()),
                _ if begun.elapsed() < PATIENCE => std::thread::sleep(PACE),
                Ok(number) => anyhow::bail!("{key} is {number} on the new pod, and {acknowledged} was acknowledged"),
                Err(error) => anyhow::bail!("{key} cannot be read on the new pod: {error:#}"),
            }
        }
    }

    fn get(&self, key: &str) -> Result<u64> {
        let reply = self.http.get(&format!("{}/{key}", self.base))?;
        if reply.status == 404 {
            return Ok(0);
        }
        ensure!(reply.status == 200, "{reply}");
        std::str::from_utf8(&reply.body)?.parse().context("no number")
    }
}
