//! Whether this process may start without state.

use std::time::{Duration, Instant};

use baton_replica::MemberPhase;

/// What is known of another process that may hold the state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Witness {
    /// What it said last, and when.
    pub(super) answer: Option<(MemberPhase, Instant)>,
    /// When it was first asked for.
    pub(super) asked_since: Instant,
}

/// Whether the slot that is `first` may start without state: when every other process has said, since the present list
/// was taken at `list_since`, that it has none either, or has not been running for `start_empty_after`. Any that holds
/// state keeps the group from starting again.
pub(super) fn may_start_empty(
    witnesses: impl IntoIterator<Item = Witness>,
    list_since: Instant,
    start_empty_after: Duration,
    now: Instant,
) -> bool {
    witnesses.into_iter().all(|Witness { answer, asked_since }| {
        let (phase, heard) = answer.unwrap_or((MemberPhase::Gone, asked_since));
        let silent = now.saturating_duration_since(heard) >= start_empty_after;
        silent || (phase == MemberPhase::Joining && heard >= list_since)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    struct Clock(Instant);

    impl Clock {
        fn at(&self, seconds: u64) -> Instant {
            self.0 + Duration::from_secs(seconds)
        }

        fn said(&self, phase: MemberPhase, seconds: u64) -> Witness {
            Witness { answer: Some((phase, self.at(seconds))), asked_since: self.at(0) }
        }

        fn decide(&self, witnesses: &[Witness], now: u64) -> bool {
            may_start_empty(witnesses.iter().copied(), self.at(1), PATIENCE, self.at(now))
        }
    }

    #[test]
    fn a_group_of_one_starts_at_once() {
        assert!(Clock(Instant::now()).decide(&[], 1));
    }

    #[test]
    fn all_others_must_have_said_that_they_are_joining() {
        let clock = Clock(Instant::now());
        let joining = clock.said(MemberPhase::Joining, 2);
        let unheard = Witness { answer: None, asked_since: clock.at(0) };
        assert!(clock.decide(&[joining, joining], 2));
        assert!(!clock.decide(&[joining, unheard], 2));
    }

    #[test]
    fn what_was_said_before_the_list_changed_does_not_count() {
        let clock = Clock(Instant::now());
        assert!(!clock.decide(&[clock.said(MemberPhase::Joining, 0)], 2));
    }

    #[test]
    fn a_member_that_holds_state_keeps_the_group_from_starting_again() {
        let clock = Clock(Instant::now());
        for phase in [MemberPhase::Active, MemberPhase::Leaving] {
            assert!(!clock.decide(&[clock.said(MemberPhase::Joining, 2), clock.said(phase, 2)], 3));
            assert!(!clock.decide(&[clock.said(phase, 2)], 11), "not yet silent for long enough");
        }
    }

    #[test]
    fn a_process_that_does_not_run_is_waited_for_only_so_long() {
        let clock = Clock(Instant::now());
        let unheard = Witness { answer: None, asked_since: clock.at(0) };
        assert!(!clock.decide(&[unheard], 9));
        assert!(clock.decide(&[unheard], 10));
        assert!(clock.decide(&[clock.said(MemberPhase::Active, 2)], 12), "it has ended");
    }
}
