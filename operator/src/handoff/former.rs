//! Rows that the list has dropped: receipts of their members may still come, and their departures are still to be told.

use std::time::{Duration, Instant};

use baton_crds::membership::{MemberPhase, MemberRow};

use crate::index::Listing;

/// How long a dropped row is remembered: several times what a receipt may be late.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The rows of one group's list, and those that it had a while ago.
#[derive(Debug, Default)]
pub struct Former {
    uid: String,
    rows: Vec<MemberRow>,
    dropped: Vec<(MemberRow, Instant)>,
}

// === impl Former ===

impl Former {
    /// The rows that were dropped lately, as Gone, and then those that are listed: the older first. A list of another
    /// object has dropped nobody.
    pub fn look(&mut self, listing: Option<&Listing>, now: Instant) -> Vec<MemberRow> {
        if let Some(listing) = listing {
            let before = std::mem::replace(&mut self.rows, listing.spec.members.clone());
            let same = std::mem::replace(&mut self.uid, listing.uid.clone()) == listing.uid;
            let dropped = before.into_iter().filter(|row| same && listing.row(row.replica).is_none());
            self.dropped.extend(dropped.map(|row| (MemberRow { phase: MemberPhase::Gone, ..row }, now)));
            self.dropped.retain(|(row, _)| listing.row(row.replica).is_none());
        }
        self.dropped.retain(|(_, at)| now.saturating_duration_since(*at) < REMEMBERED);
        let listed = listing.map_or(&[][..], |listing| &listing.spec.members);
        self.dropped.iter().map(|(row, _)| row).chain(listed).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{listing, row};
    use MemberPhase::{Active, Gone, Leaving};

    #[test]
    fn a_dropped_row_is_remembered_as_gone_for_a_while() {
        let (mut former, now) = (Former::default(), Instant::now());
        let before = listing(4, None, vec![row(1, "a", Leaving), row(2, "b", Active)]);
        assert_eq!(former.look(Some(&before), now), before.spec.members);
        let after = listing(5, None, vec![row(2, "b", Active)]);
        let seen = [MemberRow { held_state: true, ..row(1, "a", Gone) }, row(2, "b", Active)];
        assert_eq!(former.look(Some(&after), now), seen);
        assert_eq!(former.look(Some(&after), now + REMEMBERED), after.spec.members);
    }

    #[test]
    fn a_list_that_was_made_anew_has_dropped_nobody() {
        let (mut former, now) = (Former::default(), Instant::now());
        former.look(Some(&listing(4, None, vec![row(1, "a", Active)])), now);
        assert_eq!(former.look(None, now), []);
        let mut anew = listing(1, None, vec![row(2, "b", Active)]);
        anew.uid = "another".into();
        assert_eq!(former.look(Some(&anew), now), anew.spec.members);
    }
}
