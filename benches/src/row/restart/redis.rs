//! The restart of a primary and two replicas of Redis: a new replica first, then an old one ends; the primary last,
//! after a `FAILOVER`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::wait;

use super::writer::{Crew, Door, Session};
use super::{CALM, MEMBERS, Restart, VALUE_BYTES, observe};
use crate::redis::{Client, Reply, Server};
use crate::row::Stage;
use crate::sample;

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(1);
/// What a `SET` waits for its replica, in milliseconds.
const WAIT_MILLIS: &[u8] = b"5000";

/// Where the primary is.
struct Primary(AtomicU16);

/// The servers, and how many were ever started.
struct Group {
    primary: Server,
    replicas: Vec<Server>,
    started: usize,
}

pub(super) fn restart(stage: &Stage, keys: u64) -> Result<Restart> {
    let folder = stage.folder("redis")?;
    let mut group = Group { primary: Server::start("redis-0", &folder)?, replicas: Vec::new(), started: 0 };
    group.primary.fill(keys, VALUE_BYTES)?;
    for _ in 1..MEMBERS {
        group.add(&folder)?;
    }
    let door = Arc::new(Primary(AtomicU16::new(group.primary.port)));
    let crew = Crew::start(&door, keys, VALUE_BYTES);
    let mut old = MEMBERS - 1;
    let mut restart = observe(&crew, stage.time(CALM), || {
        group.add(&folder)?;
        if old > 0 {
            group.replicas.remove(0);
            old -= 1;
        } else {
            group.fail_over(&door)?;
        }
        Ok(None)
    })?;
    crew.pass(stage.time(CALM));
    let acknowledged = crew.finish()?;
    for server in group.replicas.iter().chain([&group.primary]) {
        let mut client = server.client()?;
        for (number, value) in &acknowledged {
            let held = client.command(&[b"GET", &sample::name(*number)])?;
            restart.lost += u64::from(held != Reply::Bulk(Some(value.clone())));
        }
    }
    Ok(restart)
}

// === impl Group ===

impl Group {
    /// One more replica, in sync.
    fn add(&mut self, folder: &Path) -> Result<()> {
        self.started += 1;
        let replica = Server::start(&format!("redis-{}", self.started), folder)?;
        replica.follow(self.primary.port)?;
        self.replicas.push(replica);
        Ok(())
    }

    /// The newest replica becomes the primary, the others follow it, and the old primary ends.
    fn fail_over(&mut self, door: &Primary) -> Result<()> {
        let Some(next) = self.replicas.pop() else { return Ok(()) };
        let port = next.port.to_string();
        let mut primary = self.primary.client()?;
        let online = format!("port={port},state=online");
        wait::until_every(LOOK, PATIENCE, "the primary knows the replica", || {
            ensure!(primary.info("replication")?.contains(&online), "it is not online");
            Ok(())
        })?;
        primary.command(&[b"FAILOVER", b"TO", b"127.0.0.1", port.as_bytes()])?;
        let mut client = next.client()?;
        wait::until_every(LOOK, PATIENCE, "the replica is the primary", || {
            ensure!(client.info("replication")?.contains("role:master"), "it is a replica");
            Ok(())
        })?;
        door.0.store(next.port, Ordering::Relaxed);
        for replica in &self.replicas {
            replica.follow(next.port)?;
        }
        self.primary = next;
        Ok(())
    }
}

// === impl Primary ===

impl Door for Primary {
    type Session = Client;

    fn place(&self, _writer: u64) -> u16 {
        self.0.load(Ordering::Relaxed)
    }

    fn open(&self, place: u16) -> Result<Client> {
        Client::connect(place)
    }
}

impl Session for Client {
    /// Both commands in one trip.
    fn put(&mut self, name: &[u8], value: &[u8]) -> Result<()> {
        self.send(&[&[b"SET", name, value], &[b"WAIT", b"1", WAIT_MILLIS]])?;
        self.reply()?;
        let acknowledged = self.reply()?;
        ensure!(matches!(acknowledged, Reply::Integer(1..)), "no replica acknowledges: {acknowledged:?}");
        Ok(())
    }
}
