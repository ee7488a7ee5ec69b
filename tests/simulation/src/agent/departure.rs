//! How a process leaves: the shell around the lifecycle, as the real agent's departure is.

use baton_replica::{Action, Need, Phase, Progress, Roster, Shard, Shards, Surroundings, VersionVector};

use super::{Agent, Wish};

// === impl Agent ===

impl Agent {
    /// The departure: does what the lifecycle asks.
    pub(crate) fn depart(&mut self, now: u64) -> Vec<Wish> {
        let mut wishes = Vec::new();
        while let Some(action) = self.next_action(now - self.born) {
            match action {
                Action::StartEmpty => self.start_empty(),
                Action::BeginAgain => {
                    wishes.push(Wish::BeginAgain);
                    return wishes;
                }
                Action::AnnounceLeaving => {
                    self.update_roster(Roster::leave);
                    self.phase = self.life.phase();
                }
                Action::AskAgain => self.ask_again(),
                Action::ReturnHook(outcome) => wishes.push(Wish::ReturnHook(outcome)),
                Action::Seal if std::mem::take(&mut self.writing) => {
                    // The request is done first; then there is more to hand off.
                    wishes.push(Wish::WriteAndSeal);
                    return wishes;
                }
                Action::Seal => self.seal(),
                Action::Exit(outcome) => {
                    wishes.push(Wish::Exit(outcome));
                    return wishes;
                }
            }
        }
        self.phase = self.life.phase();
        if self.phase == Phase::Active {
            self.active.get_or_insert(now);
        }
        wishes
    }

    /// Notes when it began to leave, by its own knowledge, and when it last asked its peers what they have.
    pub(crate) fn note_leaving(&mut self, events: u64) {
        if self.roster.leaving() {
            self.left.get_or_insert(events);
        }
        if std::mem::take(&mut self.asks) {
            self.asked = events;
        }
    }

    pub(crate) fn seal(&mut self) {
        self.sealed = true;
        self.stirred = true;
        self.asks = true;
        for index in 0..self.shards.len() {
            self.with_shard(index, None, Shard::seal);
        }
    }

    fn next_action(&mut self, uptime: u64) -> Option<Action> {
        let around = Surroundings::of(&self.roster, self.list.as_deref());
        self.life.next_action(&around, &self.shards, uptime)
    }

    fn start_empty(&mut self) {
        self.founded = true;
        for index in 0..self.shards.len() {
            self.with_shard(index, None, Shard::start_empty);
        }
    }

    fn ask_again(&mut self) {
        self.watermark = Some(self.clocks());
        self.asks = true;
        for index in 0..self.shards.len() {
            self.with_shard(index, None, Shard::ask_again);
        }
    }

    /// How far all up to some clocks is handed off.
    pub(crate) fn progress_of(&self, clocks: &[VersionVector]) -> Progress {
        self.shards.progress(clocks, Need::of(&self.settings(), &self.roster))
    }
}
