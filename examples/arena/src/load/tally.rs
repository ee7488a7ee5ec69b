//! The counts that all players of a load share.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use super::record::{Fate, Record, Row};

/// Written by every player, read for progress and for the record.
#[derive(Default)]
pub(crate) struct Tally {
    acknowledged: AtomicU64,
    retries: AtomicU64,
    slowest_ms: AtomicU64,
    rows: Mutex<Vec<Row>>,
}

// === impl Tally ===

impl Tally {
    pub(crate) fn acknowledged(&self, waited: Duration) {
        self.acknowledged.fetch_add(1, Relaxed);
        self.slowest_ms.fetch_max(waited.as_millis() as u64, Relaxed);
    }

    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// A player's game is over, or the load is.
    pub(crate) fn ended(&self, row: Row) {
        self.rows.lock().push(row);
    }

    pub(crate) fn progress(&self) -> serde_json::Value {
        serde_json::json!({
            "acknowledged": self.acknowledged.load(Relaxed),
            "retries": self.retries.load(Relaxed),
            "forgotten": self.rows.lock().iter().filter(|row| row.fate == Fate::Forgotten).count(),
        })
    }

    pub(crate) fn record(&self) -> Record {
        let mut players = self.rows.lock().clone();
        players.sort_by(|a, b| a.id.cmp(&b.id));
        Record {
            acknowledged: self.acknowledged.load(Relaxed),
            retries: self.retries.load(Relaxed),
            slowest_ms: self.slowest_ms.load(Relaxed),
            players,
        }
    }
}
