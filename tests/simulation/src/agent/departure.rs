//! How a process leaves: the shell around the lifecycle, as the real agent's departure is.

use baton_replica::{Action, MemberPhase, Need, Progress, Roster, Shard, VersionVector};

use super::{Agent, Wish};

// === impl Agent ===

impl Agent {
    /// The departure: notices what has changed around the process, and does what the lifecycle asks.
    pub(crate) fn depart(&mut self, now: u64) -> Vec<Wish> {
        let uptime = now - self.born;
        self.notice(uptime);
        let mut wishes = Vec::new();
        loop {
            if self.life.leaving() {
                let (watermark, everything) = self.progress();
                self.life.progress(watermark.and_handed_over(self.is_handed_over()), everything, uptime);
            }
            self.life.tick(uptime);
            let Some(action) = self.life.poll_action() else {
                self.phase = self.life.phase();
                return wishes;
            };
            match action {
                Action::AnnounceLeaving => {
                    self.update_roster(Roster::leave);
                    self.phase = self.life.phase();
                }
                Action::TakeWatermark => self.take_watermark(),
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
    }

    /// Notes when it began to leave, by its own knowledge.
    pub(crate) fn note_leaving(&mut self, events: u64) {
        if self.roster.leaving() {
            self.left.get_or_insert(events);
        }
    }

    pub(crate) fn seal(&mut self) {
        self.sealed = true;
        self.stirred = true;
        for index in 0..self.shards.len() {
            self.with_shard(index, None, Shard::seal);
        }
    }

    fn take_watermark(&mut self) {
        self.watermark = Some(self.clocks());
        for index in 0..self.shards.len() {
            self.with_shard(index, None, Shard::ask_again);
        }
    }

    pub(crate) fn need(&self) -> Need {
        let settings = self.settings();
        let members = self.roster.survivors().count() as u32;
        Need { acks: settings.handoff_acks, level: settings.write_acks.count(members) }
    }

    fn notice(&mut self, uptime: u64) {
        if let Some(list) = self.list.clone() {
            self.life.set_handoff_timeout(list.settings.handoff_timeout);
            if list.first == Some(self.id) && !self.holds_state() && !self.life.leaving() {
                self.founded = true;
                for index in 0..self.shards.len() {
                    self.with_shard(index, None, Shard::start_empty);
                }
            }
            if let Some(row) = list.member(self.id).filter(|row| row.phase == MemberPhase::Leaving) {
                self.life.terminating(row.grace, uptime);
            }
        }
        if self.holds_state() {
            self.life.bootstrapped();
        }
    }

    fn progress(&self) -> (Progress, Progress) {
        let everything = self.progress_of(&self.clocks());
        let watermark = self.watermark.as_ref().map_or(Progress::Uncovered, |clocks| self.progress_of(clocks));
        (watermark, everything)
    }

    /// How far all up to some clocks is handed off.
    pub(crate) fn progress_of(&self, clocks: &[VersionVector]) -> Progress {
        if self.shards.iter().all(Shard::holds_nothing) {
            return Progress::Nothing;
        }
        let need = self.need();
        let covered = self.shards.iter().zip(clocks).all(|(shard, clock)| shard.coverage(clock, need).covered);
        if covered { Progress::Covered } else { Progress::Uncovered }
    }
}
