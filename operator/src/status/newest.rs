//! The newest handoffs of a group that have ended: of all, and of those without success. The first says how things are;
//! the second is what it may not hide, since of many that end at once any may be told last.

use baton_crds::HandoffGroupStatus;
use baton_crds::status::{HandoffOutcome, LastHandoff};

/// They are told apart by when the operator has learned of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Newest {
    /// Of all.
    pub(super) any: Option<LastHandoff>,
    /// Of those that have failed, or of which nobody knows.
    pub(super) unsuccessful: Option<LastHandoff>,
}

// === impl Newest ===

impl Newest {
    /// One has ended.
    pub(super) fn conclude(&mut self, handoff: LastHandoff) {
        if is_unsuccessful(handoff.outcome) {
            self.unsuccessful = Some(handoff.clone());
        }
        self.any = Some(handoff);
    }

    /// Takes what a status says, but for what is newer here: it may be one that could not be written before the lease was
    /// lost.
    pub(super) fn take(&mut self, said: &HandoffGroupStatus) {
        // An operator of an older release has said of the last one only.
        let last = said.last_handoff.as_ref().filter(|last| is_unsuccessful(last.outcome));
        replace(&mut self.unsuccessful, said.last_unsuccessful_handoff.as_ref().or(last));
        replace(&mut self.any, said.last_handoff.as_ref());
    }
}

fn replace(mine: &mut Option<LastHandoff>, said: Option<&LastHandoff>) {
    let at = |one: Option<&LastHandoff>| one.map(|one| one.at.0);
    if at(said) >= at(mine.as_ref()) {
        *mine = said.cloned();
    }
}

/// Whether state was or may have been lost with it.
pub(super) fn is_unsuccessful(outcome: HandoffOutcome) -> bool {
    match outcome {
        HandoffOutcome::Failed | HandoffOutcome::Unknown => true,
        HandoffOutcome::Acknowledged | HandoffOutcome::NothingToHandOff => false,
    }
}
