//! Which members that are Gone need not be listed any more: those of whom every other member lacks nothing.
//!
//! Nobody is dropped while a process that was removed may live on, nor while one runs that no row names: the object was
//! made anew, and it has not been heard since. Ids that a list does not name count as settled everywhere, so a row is
//! dropped by proof only: every member that is not Gone, Joining ones too, has said that it has settled the row's member,
//! among exactly the members that are listed now.

use std::collections::{BTreeMap, BTreeSet};

use baton_crds::membership::{MemberPhase, MemberRow, ReplicaId, Settlement};
use baton_replica::settle_round;

use crate::directory::Attendee;

/// Drops the rows that everybody has settled. What members say who attend another operator comes by the rows: each
/// operator writes down what it has heard, as long as there are members that it does not hear.
///
/// `uid` is the list's: what members have said by the list of another object counts for nothing, since one of this object
/// may not have reached them.
pub(super) fn retire(uid: &str, attendees: &BTreeMap<ReplicaId, Attendee>, rows: &mut Vec<MemberRow>) {
    let Some(round) = round(uid, rows) else { return };
    // A process that was removed and lives on may come back with writes of these that nobody else has: they are issued
    // again only while their writers are listed.
    if rows.iter().any(|row| row.forgotten) {
        return;
    }
    let name = format!("{round:016x}");
    let live: BTreeSet<ReplicaId> =
        rows.iter().filter(|row| row.phase != MemberPhase::Gone).map(|row| row.replica).collect();
    let elsewhere = live.iter().any(|id| !attendees.contains_key(id));
    rows.retain_mut(|row| {
        let written = row.settlement.take().filter(|settlement| settlement.round == name);
        if row.phase != MemberPhase::Gone {
            return true;
        }
        let settles =
            |attendee: &Attendee| attendee.settled.round == round && attendee.settled.replicas.contains(&row.replica);
        let here = attendees.iter().filter(|(id, attendee)| live.contains(id) && settles(attendee)).map(|(id, _)| *id);
        let noted = written.as_ref().map(|settlement| settlement.by.clone()).unwrap_or_default();
        let by: BTreeSet<ReplicaId> = here.chain(noted).collect();
        if !live.is_empty() && live.is_subset(&by) {
            return false;
        }
        let worth_writing = elsewhere && !by.is_empty();
        row.settlement = if worth_writing { Some(Settlement { round: name.clone(), by }) } else { written };
        true
    });
}

/// The name that agents have for this set of members of a list; none if an id is none.
fn round(uid: &str, rows: &[MemberRow]) -> Option<u64> {
    let mut listed = Vec::new();
    for row in rows {
        let phase = match row.phase {
            MemberPhase::Joining => baton_replica::MemberPhase::Joining,
            MemberPhase::Active => baton_replica::MemberPhase::Active,
            MemberPhase::Leaving => baton_replica::MemberPhase::Leaving,
            MemberPhase::Gone => baton_replica::MemberPhase::Gone,
        };
        listed.push((baton_replica::ReplicaId::new(row.replica.0)?, phase));
    }
    listed.sort_unstable();
    Some(settle_round(uid, listed))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::directory::Settled;
    use crate::fixture::{attendee, row};
    use MemberPhase::{Active, Gone, Joining};

    const UID: &str = "list";

    /// The agents 1 and 2, of pods `a` and `b`, stay; 3 was in pod `c` and is gone.
    fn rows() -> Vec<MemberRow> {
        vec![row(1, "a", Active), row(2, "b", Active), row(3, "c", Gone)]
    }

    /// These agents attend, and say that they have settled agent 3 in this round.
    fn settled(round: Option<u64>, agents: &[u64]) -> BTreeMap<ReplicaId, Attendee> {
        let attendee = |id: &u64| {
            let settled = Settled { round: round.unwrap_or_default(), replicas: BTreeSet::from([ReplicaId(3)]) };
            (ReplicaId(*id), Attendee { settled, ..attendee(*id, "a", Active, Instant::now()) })
        };
        agents.iter().map(attendee).collect()
    }

    fn after(mut rows: Vec<MemberRow>, attendees: &BTreeMap<ReplicaId, Attendee>) -> Vec<MemberRow> {
        retire(UID, attendees, &mut rows);
        rows
    }

    #[test]
    fn who_is_settled_by_all_others_is_dropped() {
        let all = settled(round(UID, &rows()), &[1, 2]);
        assert_eq!(after(rows(), &all), rows()[..2]);
    }

    #[test]
    fn nobody_is_dropped_who_was_settled_among_other_members() {
        let before = settled(round(UID, &rows()[1..]), &[1, 2]);
        assert_eq!(after(rows(), &before), rows());
        let mut joined = rows();
        joined.push(row(4, "d", Joining));
        let all_but_one = settled(round(UID, &joined), &[1, 2]);
        let kept: Vec<ReplicaId> = after(joined, &all_but_one).iter().map(|row| row.replica).collect();
        assert!(kept.contains(&ReplicaId(3)), "the joining one may hold something of it");
    }

    #[test]
    fn nobody_is_dropped_who_was_settled_by_the_list_of_an_earlier_object() {
        let before = settled(round("deleted", &rows()), &[1, 2]);
        assert_eq!(after(rows(), &before), rows());
    }

    #[test]
    fn nobody_is_dropped_while_a_process_that_was_removed_may_live_on() {
        let mut with = rows();
        with.push(MemberRow { forgotten: true, ..row(4, "d", Gone) });
        let all = settled(round(UID, &with), &[1, 2]);
        assert_eq!(after(with.clone(), &all), with);
        with[3].forgotten = false;
        assert_eq!(after(with, &all).len(), 3);
    }

    #[test]
    fn with_nobody_left_nobody_is_dropped() {
        let gone = vec![row(3, "c", Gone)];
        assert_eq!(after(gone.clone(), &BTreeMap::new()), gone);
    }

    #[test]
    fn what_agents_say_to_two_operators_comes_together_in_the_rows() {
        let name = round(UID, &rows());
        let first = after(rows(), &settled(name, &[1]));
        let settlement = first[2].settlement.clone().expect("it is written down");
        assert_eq!(settlement.by, BTreeSet::from([ReplicaId(1)]));
        assert_eq!(after(first.clone(), &BTreeMap::new()), first, "an operator that hears nobody changes nothing");
        assert_eq!(after(first, &settled(name, &[2])), rows()[..2]);
    }

    #[test]
    fn what_was_written_down_of_another_set_is_void() {
        let mut rows = rows();
        let by = BTreeSet::from([ReplicaId(1)]);
        rows[2].settlement = Some(Settlement { round: "0000000000000001".into(), by });
        let after = after(rows.clone(), &settled(round(UID, &rows), &[2]));
        assert_eq!(after[2].settlement.as_ref().map(|settlement| settlement.by.len()), Some(1));
        assert!(after[2].settlement.as_ref().is_some_and(|settlement| settlement.by.contains(&ReplicaId(2))));
    }
}
