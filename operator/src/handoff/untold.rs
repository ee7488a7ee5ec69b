//! Departures of which an operator knows that does not hold the lease: its predecessor may die before it has told them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use baton_crds::membership::MemberRow;

use super::Receipt;
use crate::lease::DURATION;

/// How long a departure is remembered: an operator that held the lease for longer afterwards has told it, and who comes
/// after one that died knows within the lease's time.
const REMEMBERED: Duration = Duration::from_secs(4 * DURATION.as_secs());

/// The most departures that are remembered.
const DEPARTURES: usize = 1_024;

/// The departures of one group that may be untold, the oldest first.
#[derive(Debug, Default)]
pub struct Untold(VecDeque<(Receipt, Option<MemberRow>, Instant)>);

// === impl Untold ===

impl Untold {
    /// A departure was concluded; `row` is what the list says or last said of the member. A later word on the same
    /// departure takes the place of an earlier one.
    pub fn add(&mut self, receipt: Receipt, row: Option<MemberRow>, now: Instant) {
        self.0.retain(|(one, ..)| one.replica != receipt.replica);
        if self.0.len() == DEPARTURES {
            self.0.pop_front();
        }
        self.0.push_back((receipt, row, now));
    }

    /// Forgets what others have told by now.
    pub fn look(&mut self, now: Instant) {
        self.0.retain(|(.., at)| now.saturating_duration_since(*at) < REMEMBERED);
    }

    /// What may be untold.
    pub fn receipts(&self) -> Vec<(Receipt, Option<MemberRow>)> {
        self.0.iter().map(|(receipt, row, _)| (receipt.clone(), row.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use baton_crds::status::HandoffOutcome::{Acknowledged, Failed};

    use super::*;
    use crate::fixture::receipt;
    use crate::handoff::Stage;

    #[test]
    fn a_departure_is_remembered_with_its_last_word_for_longer_than_an_election_takes() {
        let (mut untold, now) = (Untold::default(), Instant::now());
        untold.add(receipt(1, Stage::Hook, Failed), None, now);
        untold.add(receipt(1, Stage::Sealed, Acknowledged), None, now);
        untold.look(now + 2 * DURATION);
        assert_eq!(untold.receipts(), [(receipt(1, Stage::Sealed, Acknowledged), None)]);
        untold.look(now + REMEMBERED);
        assert!(untold.receipts().is_empty());
    }

    #[test]
    fn of_too_many_departures_the_oldest_is_forgotten() {
        let (mut untold, now) = (Untold::default(), Instant::now());
        for replica in 0..=DEPARTURES as u64 {
            untold.add(receipt(replica, Stage::Sealed, Acknowledged), None, now);
        }
        assert_eq!((untold.receipts().len(), untold.receipts()[0].0.replica.0), (DEPARTURES, 1));
    }
}
