//! Who takes over what a member owned that leaves or is gone: the same answer wherever the same members are known.

use std::collections::BTreeMap;

use crate::mutant::{Mutant, active};
use crate::preference::{elsewhere, newest};
use crate::{Key, Member, MemberPhase, ReplicaId, Roster};

/// The members that adopt, as one replica knows them.
///
/// Two that know different lists may both take over a key, or neither; the greater token wins, and who finds the owner
/// departed under a newer list chooses again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Succession {
    /// Survivors with an app, of the newest revision of their controller, by id.
    adopters: Vec<ReplicaId>,
    /// Those of them on other nodes than each departed one was on, if some are and some are not. When a node is drained,
    /// who stands beside the departed one goes next.
    elsewhere: BTreeMap<ReplicaId, Vec<ReplicaId>>,
    /// Keepers that survive while no adopter does: they can end what nobody is to run any more.
    keepers: Vec<ReplicaId>,
    /// New processes in the pods of departed ones: an agent that crashed gives its keys back to the app beside it.
    heirs: BTreeMap<ReplicaId, ReplicaId>,
    /// All ids in use that have not departed. What anybody else owns needs another owner, whether that was one who adopts
    /// or not: in a rollout those of the older revision do not.
    staying: Vec<ReplicaId>,
}

// === impl Succession ===

impl Succession {
    /// Who adopts, as far as a replica knows; `holds_state` says whether it could do so itself.
    pub fn of(roster: &Roster, holds_state: bool) -> Self {
        let me = Some(roster.me()).filter(|_| holds_state && !roster.leaving());
        let mut survivors: Vec<ReplicaId> = match active(Mutant::AdopterFromStaleList) {
            true => roster.rows().iter().map(|row| row.replica).collect(),
            false => roster.survivors().chain(me).collect(),
        };
        survivors.sort_unstable();
        let is_keeper = |id: &ReplicaId| {
            let is_one = |row: &Member| row.keeper && !active(Mutant::KeeperAdopts);
            roster.row(*id).is_some_and(is_one)
        };
        let (mut keepers, adopters): (Vec<_>, Vec<_>) = newest(roster, survivors).into_iter().partition(is_keeper);
        if !adopters.is_empty() {
            keepers.clear();
        }
        let staying = roster.listed().into_iter().filter(|id| !roster.is_departed(*id));
        let departed = roster.rows().iter().filter(|row| roster.is_departed(row.replica));
        let others = departed.filter_map(|gone| Some((gone.replica, elsewhere(roster, &adopters, Some(gone))?)));
        Self { elsewhere: others.collect(), adopters, keepers, heirs: heirs(roster), staying: staying.collect() }
    }

    /// Who takes over a key from a departed owner; `None` while there is nobody with an app.
    pub fn adopter(&self, key: &Key, owner: ReplicaId) -> Option<ReplicaId> {
        let elsewhere = self.elsewhere.get(&owner).filter(|_| !active(Mutant::AdopterBeside));
        let heir = self.heirs.get(&owner).filter(|_| !active(Mutant::HeirIsPassedOver));
        heir.copied().or_else(|| highest(key, elsewhere.unwrap_or(&self.adopters)))
    }

    /// Who ends the ownership of a key that nobody is to adopt.
    pub fn releaser(&self, key: &Key, owner: ReplicaId) -> Option<ReplicaId> {
        self.adopter(key, owner).or_else(|| highest(key, &self.keepers))
    }
}

/// Each key goes to the highest of its adopters' scores: one that comes or goes moves only its own share.
fn highest(key: &Key, adopters: &[ReplicaId]) -> Option<ReplicaId> {
    adopters.iter().copied().max_by_key(|adopter| (score(key, *adopter), *adopter))
}

/// The newest process in the pod of each departed one. One that is Joining is waited for: it has the app of the pod.
fn heirs(roster: &Roster) -> BTreeMap<ReplicaId, ReplicaId> {
    let stays = |row: &&Member| {
        let phase = roster.peer(row.replica).map_or(row.phase, |peer| peer.phase);
        matches!(phase, MemberPhase::Joining | MemberPhase::Active) && !roster.is_departed(row.replica) && !row.keeper
    };
    let heir = |gone: &Member| {
        let same = |row: &&Member| !gone.pod_uid.is_empty() && row.pod_uid == gone.pod_uid;
        roster.rows().iter().rev().filter(same).find(stays).map(|row| row.replica)
    };
    let departed = roster.rows().iter().filter(|row| roster.is_departed(row.replica));
    departed.filter_map(|gone| Some((gone.replica, heir(gone)?))).collect()
}

fn score(key: &Key, adopter: ReplicaId) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(key.as_bytes(), adopter.bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MapName, Membership, MembershipVersion, Settings};

    fn id(bits: u64) -> ReplicaId {
        ReplicaId::new(bits).expect("not zero")
    }

    fn key(name: &str) -> Key {
        Key::new(&MapName::parse("map").expect("valid"), name.as_bytes()).expect("valid")
    }

    /// A member in a pod, of a revision of one controller.
    fn row(bits: u64, pod: &str, revision: u64, phase: MemberPhase) -> Member {
        Member {
            pod_name: pod.into(),
            pod_uid: pod.into(),
            controller: "web".into(),
            revision,
            held_state: true,
            ..Member::new(id(bits), phase)
        }
    }

    fn succession(me: u64, members: Vec<Member>) -> Succession {
        let mut roster = Roster::new(id(me));
        let version = MembershipVersion { uid: "list".into(), number: 1 };
        roster.take(&Membership { version, members, first: None, settings: Settings::default(), follows: Vec::new() });
        Succession::of(&roster, true)
    }

    fn adopters(succession: &Succession, owner: u64) -> Vec<u64> {
        let adopter = |number: u32| succession.adopter(&key(&number.to_string()), id(owner)).map(ReplicaId::bits);
        let mut ids: Vec<u64> = (0..64).filter_map(adopter).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    #[test]
    fn survivors_share_the_keys_and_agree_on_whose_is_whose() {
        use MemberPhase::{Active, Gone, Joining, Leaving};
        let list = || {
            vec![
                row(1, "a", 1, Gone),
                row(2, "b", 1, Active),
                row(3, "c", 1, Active),
                row(4, "d", 1, Leaving),
                row(5, "e", 1, Joining),
            ]
        };
        let (two, three) = (succession(2, list()), succession(3, list()));
        assert_eq!(adopters(&two, 1), [2, 3]);
        assert_eq!(two, three);
    }

    #[test]
    fn the_newest_revision_of_a_controller_adopts() {
        use MemberPhase::{Active, Gone};
        let mut list = vec![row(1, "a", 1, Gone), row(2, "b", 1, Active), row(3, "c", 2, Active)];
        assert_eq!(adopters(&succession(2, list.clone()), 1), [3]);
        list.push(Member { controller: "other".into(), ..row(4, "d", 1, Active) });
        assert_eq!(adopters(&succession(2, list.clone()), 1), [3, 4]);
        list.push(row(5, "e", 0, Active));
        assert_eq!(adopters(&succession(2, list), 1), [3, 4, 5]);
    }

    /// When a node is drained, all of its pods go, and what one adopted from another would be handed on at once.
    #[test]
    fn survivors_on_other_nodes_adopt_before_those_on_the_node_of_the_departed() {
        use MemberPhase::{Active, Gone, Leaving};
        let on = |node: &str, row: Member| Member { node: node.into(), ..row };
        let mut list = vec![
            on("n1", row(1, "a", 1, Leaving)),
            on("n1", row(2, "b", 1, Active)),
            on("n2", row(3, "c", 1, Active)),
            on("n3", row(4, "d", 1, Active)),
        ];
        let succession_at = |at, list: &Vec<Member>| succession(at, list.clone());
        assert_eq!(adopters(&succession_at(3, &list), 1), [3, 4]);
        assert_eq!(succession_at(2, &list), succession_at(3, &list), "all choose alike, and the leaver too");
        assert_eq!(succession_at(1, &list), succession_at(3, &list));
        list[0].phase = Gone;
        assert_eq!(adopters(&succession_at(3, &list), 1), [3, 4], "a node that is lost is no other case");
        (list[2].phase, list[3].phase) = (Leaving, Gone);
        assert_eq!(adopters(&succession_at(2, &list), 1), [2], "if nobody else is left, who is beside it adopts");
        assert_eq!(adopters(&succession_at(2, &list), 3), [2]);
    }

    #[test]
    fn the_newest_revision_comes_before_another_node_and_an_unknown_node_is_no_reason() {
        use MemberPhase::{Active, Gone};
        let on = |node: &str, row: Member| Member { node: node.into(), ..row };
        let mut list =
            vec![on("n1", row(1, "a", 1, Gone)), on("n2", row(2, "b", 1, Active)), on("n1", row(3, "c", 2, Active))];
        assert_eq!(adopters(&succession(2, list.clone()), 1), [3]);
        list.push(on("", row(4, "d", 2, Active)));
        assert_eq!(
            adopters(&succession(2, list.clone()), 1),
            [4],
            "where a node is known, one without a name is another"
        );
        list[0].node.clear();
        assert_eq!(adopters(&succession(2, list), 1), [3, 4]);
    }

    #[test]
    fn a_new_process_in_the_same_pod_comes_first_even_while_it_joins() {
        use MemberPhase::{Active, Gone, Joining};
        let mut list = vec![row(1, "a", 1, Gone), row(2, "b", 2, Active), row(3, "a", 1, Joining)];
        assert_eq!(adopters(&succession(2, list.clone()), 1), [3]);
        list[2].phase = Gone;
        assert_eq!(adopters(&succession(2, list.clone()), 1), [2]);
        list.push(row(4, "a", 1, Active));
        assert_eq!(adopters(&succession(2, list), 1), [4]);
    }

    #[test]
    fn a_keeper_adopts_nothing_and_ends_what_nobody_is_to_adopt() {
        use MemberPhase::{Active, Gone, Joining};
        let keeper = |bits, pod| Member { keeper: true, ..row(bits, pod, 0, Active) };
        let mut list = vec![row(1, "a", 1, Gone), keeper(2, "b"), keeper(3, "c"), row(4, "d", 1, Joining)];
        let alone = succession(2, list.clone());
        assert_eq!(adopters(&alone, 1), [] as [u64; 0]);
        let releaser = alone.releaser(&key("k"), id(1));
        assert!(releaser == Some(id(2)) || releaser == Some(id(3)));
        assert_eq!(succession(3, list.clone()), alone);
        list[3].phase = Active;
        let with = succession(2, list.clone());
        assert_eq!(adopters(&with, 1), [4]);
        assert_eq!(with.releaser(&key("k"), id(1)), Some(id(4)));
        list[1].phase = Gone;
        list.push(keeper(5, "b"));
        assert_eq!(adopters(&succession(3, list), 2), [4], "nor what another keeper owned");
    }

    #[test]
    fn an_adopter_that_goes_moves_its_own_keys_only() {
        use MemberPhase::{Active, Gone};
        let list =
            |third| vec![row(1, "a", 1, Gone), row(2, "b", 1, Active), row(3, "c", 1, Active), row(4, "d", 1, third)];
        let (before, after) = (succession(2, list(Active)), succession(2, list(Gone)));
        let moved = (0..100).map(|number| key(&number.to_string())).filter(|key| {
            let (was, is) = (before.adopter(key, id(1)), after.adopter(key, id(1)));
            assert!(was == is || was == Some(id(4)));
            was != is
        });
        assert!((15..60).contains(&moved.count()));
    }
}
