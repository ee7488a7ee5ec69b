//! Which survivors come first, in being sent to and in taking over: those who are likely to stay.

use crate::mutant::{Mutant, active};
use crate::{Member, ReplicaId, Roster};

// === impl Roster ===

impl Roster {
    /// The survivors to which a leaver sends first: those of the newest revision of their controller, on other nodes than
    /// this replica if there are such. A rollout ends the others soon, and so does the drain of a node.
    pub fn preferred_survivors(&self) -> Vec<ReplicaId> {
        let newest = newest(self, self.survivors().collect());
        elsewhere(self, &newest, self.row(self.me())).unwrap_or(newest)
    }
}

/// Of some members, those of the newest revision of their controller.
pub(crate) fn newest(roster: &Roster, mut members: Vec<ReplicaId>) -> Vec<ReplicaId> {
    let all = members.clone();
    let rows: Vec<&Member> = all.iter().filter_map(|id| roster.row(*id)).collect();
    members.retain(|id| roster.row(*id).is_none_or(|row| is_newest(row, &rows)));
    members
}

/// Of some members, those on other nodes than one who leaves or has left: `None` if that is all of them, or nobody.
pub(crate) fn elsewhere(roster: &Roster, members: &[ReplicaId], leaver: Option<&Member>) -> Option<Vec<ReplicaId>> {
    let node = leaver.map(|row| row.node.as_str()).filter(|node| !node.is_empty())?;
    let beside = |id: &&ReplicaId| roster.row(**id).is_some_and(|row| row.node == node);
    let (beside, others): (Vec<ReplicaId>, Vec<ReplicaId>) = members.iter().partition(beside);
    (!beside.is_empty() && !others.is_empty()).then_some(others)
}

/// Whether no member of the same controller has a greater revision. A revision of 0 is unknown and equal to all.
fn is_newest(row: &Member, members: &[&Member]) -> bool {
    let comparable = |other: &&&Member| !row.controller.is_empty() && other.controller == row.controller;
    row.revision == 0
        || active(Mutant::AdopterOfAnyRevision)
        || members.iter().filter(comparable).all(|other| other.revision <= row.revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemberPhase, Membership, MembershipVersion, Settings};

    fn id(bits: u64) -> ReplicaId {
        ReplicaId::new(bits).expect("not zero")
    }

    /// Whom replica 1 prefers, of members with a node and a revision.
    fn preferred(members: &[(u64, &str, u64, MemberPhase)]) -> Vec<u64> {
        let member = |(bits, node, revision, phase): &(u64, &str, u64, MemberPhase)| Member {
            node: (*node).to_owned(),
            controller: "web".to_owned(),
            revision: *revision,
            ..Member::new(id(*bits), *phase)
        };
        let version = MembershipVersion { uid: "list".to_owned(), number: 1 };
        let members = members.iter().map(member).collect();
        let mut roster = Roster::new(id(1));
        roster.take(&Membership { version, members, first: None, settings: Settings::default(), follows: Vec::new() });
        roster.preferred_survivors().into_iter().map(ReplicaId::bits).collect()
    }

    #[test]
    fn the_newest_revision_comes_first_and_of_that_other_nodes() {
        use MemberPhase::{Active, Joining, Leaving};
        let me = (1, "n1", 1, Leaving);
        assert_eq!(preferred(&[me, (2, "n1", 1, Active), (3, "n2", 1, Active), (4, "n3", 2, Active)]), [4]);
        assert_eq!(preferred(&[me, (2, "n1", 1, Active), (3, "n2", 1, Active), (4, "n3", 2, Joining)]), [3]);
        assert_eq!(preferred(&[me, (2, "n1", 2, Active), (3, "n2", 1, Active)]), [2]);
        assert_eq!(preferred(&[me, (2, "n1", 2, Active), (3, "n2", 2, Active), (4, "n2", 2, Leaving)]), [3]);
    }

    #[test]
    fn where_nothing_is_known_all_are_alike() {
        use MemberPhase::{Active, Leaving};
        assert_eq!(preferred(&[(1, "", 1, Leaving), (2, "n1", 0, Active), (3, "", 1, Active)]), [2, 3]);
        assert_eq!(preferred(&[(1, "n1", 1, Leaving), (2, "n1", 1, Active), (3, "n1", 1, Active)]), [2, 3]);
        assert_eq!(
            preferred(&[(2, "n1", 1, Active), (3, "n2", 1, Active)]),
            [2, 3],
            "nor is a node of who is not listed"
        );
    }
}
