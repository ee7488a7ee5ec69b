//! What a load remembers: for each player the last step that was acknowledged to it, and how it ended.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// All that the servers have acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Acknowledged writes: joins, moves and departures.
    pub(crate) acknowledged: u64,
    /// Requests that had to be sent again.
    pub(crate) retries: u64,
    /// The longest that a player waited for one acknowledgement, in milliseconds.
    pub(crate) slowest_ms: u64,
    /// Everyone who has ever joined.
    pub(crate) players: Vec<Row>,
}

/// One player.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// The highest acknowledged step.
    pub(crate) step: u64,
    pub(crate) fate: Fate,
}

/// How a player's game ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fate {
    /// It was still playing at the end, and must be there.
    Playing,
    /// It has left, the server has said so, and it must stay away.
    Left,
    /// It wanted to leave and never heard an answer: both are right.
    Leaving,
    /// The servers said for seconds that they know no such player: it is lost, whatever comes later.
    Forgotten,
}

// === impl Record ===

impl Record {
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no record of a load", path.display()))
    }

    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec(self)?;
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }

    pub(crate) fn count(&self, fate: Fate) -> usize {
        self.players.iter().filter(|row| row.fate == fate).count()
    }

    /// The record without its rows.
    pub(crate) fn summary(&self) -> serde_json::Value {
        serde_json::json!({
            "acknowledged": self.acknowledged,
            "retries": self.retries,
            "slowest_ms": self.slowest_ms,
            "players": self.players.len(),
            "left": self.count(Fate::Left),
            "forgotten": self.count(Fate::Forgotten),
        })
    }
}
