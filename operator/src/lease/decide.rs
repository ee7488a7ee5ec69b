//! The rule: take, renew or wait.

use std::time::{Duration, Instant};

use super::{LOOK, Record};

/// What this process knows of the Lease.
#[derive(Clone, Debug, Default)]
pub struct Sighting {
    /// The newest state; none if there is no object, or it was never seen.
    record: Option<Record>,
    /// When this process saw the last sign of life of it.
    alive: Option<Instant>,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The lease is free or has lapsed.
    Take,
    /// This process holds it.
    Renew,
    /// Another holds it: look again after this time.
    Wait(Duration),
}

// === impl Sighting ===

impl Sighting {
    /// Takes what a read or a write of the object has shown.
    pub fn see(&mut self, record: Option<Record>, now: Instant) {
        let news = match (&self.record, &record) {
            (Some(before), Some(after)) => after.is_news_after(before),
            (before, after) => before.is_some() != after.is_some(),
        };
        if news || self.alive.is_none() {
            self.alive = Some(now);
        }
        self.record = record;
    }

    /// The newest state.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// What the process of this name does now.
    pub fn step(&self, name: &str, now: Instant) -> Step {
        let Some(record) = &self.record else { return Step::Take };
        match &record.holder {
            None => Step::Take,
            Some(holder) if holder == name => Step::Renew,
            Some(_) => {
                let silent = self.alive.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
                match record.duration.checked_sub(silent).filter(|left| !left.is_zero()) {
                    Some(left) => Step::Wait(left.min(LOOK)),
                    None => Step::Take,
                }
            }
        }
    }
}
