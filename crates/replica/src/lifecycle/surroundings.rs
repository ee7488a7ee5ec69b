//! What happens to a process without its being told: what lists say of it, and that the state has come.

use super::{Action, Hook, Lifecycle, Phase};
use crate::{Completion, MemberPhase, Membership, Need, ReplicaId, Roster, Settings};

/// What a process sees of its group.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    me: ReplicaId,
    is_fenced: bool,
    list: Option<&'a Membership>,
    pub(super) need: Need,
    pub(super) completion: Completion,
}

// === impl Surroundings ===

impl<'a> Surroundings<'a> {
    /// By what is known of the members, and the newest list.
    pub fn of(roster: &Roster, list: Option<&'a Membership>) -> Self {
        let unasked = Settings::default();
        let settings = list.map_or(&unasked, |list| &list.settings);
        Self {
            me: roster.me(),
            is_fenced: roster.is_fenced(),
            list,
            need: Need::of(settings, roster),
            completion: settings.completion,
        }
    }
}

// === impl Lifecycle ===

impl Lifecycle {
    /// Takes note of what has changed around the process.
    pub(super) fn notice(&mut self, around: &Surroundings<'_>, holds_state: bool, now: u64) {
        if around.is_fenced && self.ended.is_none() {
            self.begin_again();
            return;
        }
        if let Some(list) = around.list {
            self.follow(list, around.me, holds_state, now);
        }
        if holds_state {
            self.bootstrapped();
        }
    }

    /// The group has removed this process, as it does with one that it takes for dead: it joins again as a new one. Who
    /// leaves does that as such a one, in the time that it has left: nobody else may have what it holds.
    fn begin_again(&mut self) {
        let said =
            std::mem::take(&mut self.actions).into_iter().filter(|action| matches!(action, Action::ReturnHook(_)));
        let said: Vec<Action> = said.collect();
        (self.watermark, self.sealed) = (None, false);
        self.phase = Phase::Joining;
        self.actions.push_back(Action::BeginAgain);
        if self.leaving() {
            self.phase = Phase::Draining;
            self.actions.push_back(Action::AnnounceLeaving);
        }
        if let Hook::Held { marked, .. } = &mut self.hook {
            *marked = false;
            self.actions.push_back(Action::AskAgain);
        }
        if self.stopped.is_some() {
            self.phase = Phase::Sealed;
            self.actions.push_back(Action::Seal);
        }
        self.actions.extend(said);
    }

    fn follow(&mut self, list: &Membership, me: ReplicaId, holds_state: bool, now: u64) {
        self.set_handoff_timeout(list.settings.handoff_timeout);
        let may_start = list.first == Some(me) && !holds_state && !self.leaving();
        if may_start && !self.actions.contains(&Action::StartEmpty) {
            self.actions.push_back(Action::StartEmpty);
        }
        if let Some(row) = list.member(me).filter(|row| row.phase == MemberPhase::Leaving) {
            self.terminating(row.grace, now);
        }
    }
}
