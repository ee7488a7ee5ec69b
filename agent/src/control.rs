//! The control socket: how `baton-agent drain`, `release` and `status` talk to the running agent.
//!
//! One line of JSON asks, lines of JSON answer. The first line of an answer comes at once and says that the agent lives;
//! while a drain is held, one such line follows every [`ALIVE_EVERY`], so that the hook notices an agent that hangs; the
//! last line is the result.

mod client;
mod report;
mod server;
mod text;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::http::StatusReport;

pub(crate) use client::{drain, release, status};
pub(crate) use report::{DepartureOutcome, DepartureReport};
pub(crate) use server::{Control, ControlServer};

/// How often a held drain says that the agent lives.
const ALIVE_EVERY: Duration = Duration::from_millis(500);

/// The longest line of either side. A status names each member of a group, some 200 bytes each.
const MAX_LINE: usize = 1024 * 1024;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Request {
    Drain,
    Release,
    Status,
}

/// One line of an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    /// The agent works on it.
    Working,
    /// How the drain ended.
    Drained(DepartureReport),
    /// Whether something was held, which has ended now.
    Released(bool),
    /// The agent's state.
    Status(Box<StatusReport>),
    /// The request was not understood.
    Refused(String),
}

#[cfg(test)]
mod tests;
