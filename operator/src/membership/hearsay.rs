//! What is known of members beyond the Membership object: an object that was deleted, made anew or restored
//! from a backup must not make the operator forget who runs.

use baton_crds::membership::{Followed, MemberPhase, MemberRow, ReplicaId};

use super::Situation;

/// The most lists of earlier objects that are written down. Each was deleted by somebody; of the oldest nobody is left.
const MAX_FOLLOWED: usize = 16;

/// What was heard besides the rows.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// The highest number of any list; the next one goes above it.
    pub(super) number: u64,
    /// The grant of the list that is remembered.
    pub(super) first: Option<ReplicaId>,
    /// The lists of earlier objects whose members are all among the rows, or were retired.
    pub(super) follows: Vec<Followed>,
}

/// How a list that was heard of stands to the present one and to all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// Newer than the present one, which was made anew since, and as new as any.
    Newer,
    /// As new as the present one, and as any.
    Equal,
    Older,
}

/// Merges into the rows what older lists said, in the lists that agents know and in the operator's memory.
pub(super) fn merge(situation: &Situation<'_>, rows: &mut Vec<MemberRow>) -> Heard {
    let current = situation.view.listing.as_deref();
    let uid = current.map(|listing| listing.uid.as_str());
    let number = current.map_or(0, |listing| listing.spec.number);
    let follows = current.map(|listing| listing.spec.follows.clone()).unwrap_or_default();
    let mut heard = Heard { follows, ..Heard::default() };

    let remembered = situation.view.remembered.as_deref();
    let known = || situation.attendees.values().filter_map(|attendee| attendee.known.as_ref());
    let numbers = known().map(|known| known.number).chain(remembered.map(|remembered| remembered.spec.number));
    heard.number = numbers.max().unwrap_or(0);
    let newest = heard.number.max(number);
    let age = |of: u64| match of == newest {
        true if of > number => Age::Newer,
        true => Age::Equal,
        false => Age::Older,
    };
    if let Some(remembered) = remembered {
        heard.first = remembered.spec.first;
        join(rows, &remembered.spec.members, age(remembered.spec.number));
        if age(remembered.spec.number) != Age::Older {
            heard.follow(uid, &remembered.uid, remembered.spec.number, &remembered.spec.follows);
        }
    }
    // What agents know of the current list or an earlier version of it is in the current one.
    let known = situation.attendees.iter().filter_map(|(id, attendee)| Some((*id, attendee.known.as_ref()?)));
    for (agent, known) in known.filter(|(_, known)| uid != Some(known.uid.as_str()) || known.number > number) {
        join(rows, &known.rows.iter().map(in_doubt).collect::<Vec<_>>(), age(known.number));
        if age(known.number) != Age::Older && !known.is_only(agent) {
            heard.follow(uid, &known.uid, known.number, &known.follows);
        }
    }
    // The grantee of a list that is no more counts only as long as it may still act on the grant.
    let present = |id: &ReplicaId| rows.iter().any(|row| row.replica == *id && row.phase != MemberPhase::Gone);
    heard.first = heard.first.filter(present);
    heard
}

// === impl Heard ===

impl Heard {
    /// Everybody whom a list named is among the rows now: the next list comes after it, and after what it came after.
    ///
    /// So an agent that goes by that list, or by an earlier one of the same object, may take whom it has and the next list
    /// has not for retired. Of a list that is not joined, since it is older than another one, and of one of which only the
    /// agent's own row was kept, this is not known.
    fn follow(&mut self, current: Option<&str>, uid: &str, number: u64, follows: &[Followed]) {
        let itself = Followed { uid: uid.to_owned(), number };
        for other in follows.iter().chain([&itself]).filter(|other| current != Some(other.uid.as_str())) {
            match self.follows.iter_mut().find(|known| known.uid == other.uid) {
                Some(known) => known.number = known.number.max(other.number),
                None => self.follows.push(other.clone()),
            }
        }
        let excess = self.follows.len().saturating_sub(MAX_FOLLOWED);
        self.follows.drain(..excess);
    }
}

/// Agents do not know whether a member that is Gone was removed while its pod was there: its pod has to be looked at.
fn in_doubt(row: &MemberRow) -> MemberRow {
    MemberRow { forgotten: row.phase == MemberPhase::Gone && !row.pod_uid.is_empty(), ..row.clone() }
}

/// Joins rows of another list: phases go forward only, and a state once held may still be there. Numbers go on from object
/// to object, so whom a list names and the newest does not, that was retired: members have forgotten what it had
/// superseded, and must not be sent its writes again. Whom the newest list names comes before all who were enrolled since,
/// in its order: the first takes over what retired replicas have added to counters, and there must not be two.
fn join(rows: &mut Vec<MemberRow>, others: &[MemberRow], age: Age) {
    let mut ahead = Vec::new();
    for other in others {
        match rows.iter().position(|row| row.replica == other.replica) {
            Some(at) => {
                let row = &mut rows[at];
                if row.phase != MemberPhase::Gone && other.phase == MemberPhase::Gone {
                    // Whoever said hello before it was heard that it is Gone may live, as one that is newly listed may.
                    row.forgotten = other.forgotten;
                }
                row.phase = row.phase.max(other.phase);
                row.held_state |= other.held_state;
                if age == Age::Newer {
                    ahead.push(rows.remove(at));
                }
            }
            None if age == Age::Newer => ahead.push(other.clone()),
            None if age == Age::Equal => rows.push(other.clone()),
            None => {}
        }
    }
    rows.splice(..0, ahead);
}
