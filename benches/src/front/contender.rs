//! The two sides: a server with one replica each.

use std::path::Path;

use anyhow::{Context, Result};

use crate::fleet::Fleet;
use crate::redis::{Client, Server};

/// One of the two.
pub(super) enum Contender {
    Baton(Fleet),
    Redis {
        primary: Server,
        /// Lives as long as the primary does.
        _replica: Server,
    },
}

// === impl Contender ===

impl Contender {
    /// Two agents; writes are answered when so many peers have acknowledged them.
    pub(super) fn baton(folder: &Path, acks: u32) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self::Baton(Fleet::with_acks(folder, 2, acks)?))
    }

    /// A primary with a replica that is in sync.
    pub(super) fn redis(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let primary = Server::start("primary", folder)?;
        let replica = Server::start("replica", folder)?;
        replica.follow(primary.port)?;
        Ok(Self::Redis { primary, _replica: replica })
    }

    /// Where it speaks the protocol of Redis.
    pub(super) fn port(&self) -> Result<u16> {
        match self {
            Self::Baton(fleet) => Ok(fleet.agents.first().context("no agent")?.ports().redis),
            Self::Redis { primary, .. } => Ok(primary.port),
        }
    }

    pub(super) fn client(&self) -> Result<Client> {
        Client::connect(self.port()?)
    }

    /// Processor time that the server which answers has taken.
    pub(super) fn processor_seconds(&mut self) -> Result<f64> {
        match self {
            Self::Baton(fleet) => fleet.agents.first_mut().context("no agent")?.process().processor_seconds(),
            Self::Redis { primary, .. } => primary.process.processor_seconds(),
        }
    }
}
