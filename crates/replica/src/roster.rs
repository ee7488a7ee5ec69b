//! What one replica knows about the other members: the list, what they said of themselves, who is linked.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::mutant::{Mutant, active};
use crate::{Member, MemberPhase, Membership, MembershipVersion, OnDeparture, ReplicaId, Settings};

/// One other member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The furthest phase heard of, from the list or from the member itself.
    pub phase: MemberPhase,
    /// Whether a link to it is up.
    pub linked: bool,
}

/// All other members and this replica's own departure: exactly what the newest list names.
///
/// An id that the list does not name is retired: all that it wrote is settled, and counts as seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    me: ReplicaId,
    leaving: bool,
    fenced: bool,
    version: Option<MembershipVersion>,
    /// Of the newest list, in its order.
    rows: Arc<Vec<Member>>,
    /// What the newest list says of maps whose owned keys are not adopted.
    departures: Arc<BTreeMap<String, OnDeparture>>,
    peers: BTreeMap<ReplicaId, Peer>,
    /// Peers that the newest list does not name, since it is of another source than the list that did: which one that was.
    kept: BTreeMap<ReplicaId, MembershipVersion>,
}

/// Names a set of listed ids, given in increasing order, and which of them are Gone, by the lists of one source:
/// [`Roster::round`] of a member that goes by this list. Whoever collects what members say of a round compares it with this.
///
/// What members say by the list of another source is for another round: a list of this one may have named nobody to them,
/// so that one which retires somebody would retire nobody there.
pub fn settle_round(source: &str, listed: impl IntoIterator<Item = (ReplicaId, MemberPhase)>) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3Default::new();
    hash.update(source.as_bytes());
    for (id, phase) in listed {
        hash.update(&id.bits().to_le_bytes());
        hash.update(&[u8::from(phase == MemberPhase::Gone)]);
    }
    hash.digest()
}

// === impl Roster ===

impl Roster {
    /// A roster that knows nobody.
    pub fn new(me: ReplicaId) -> Self {
        Self {
            me,
            leaving: false,
            fenced: false,
            version: None,
            rows: Arc::default(),
            departures: Arc::default(),
            peers: BTreeMap::new(),
            kept: BTreeMap::new(),
        }
    }

    /// A group of Active members of whom nothing but the ids is known, as one of them sees it: for tests and benches. The
    /// list of a larger group is the newer one.
    pub fn of_group(me: ReplicaId, members: impl IntoIterator<Item = ReplicaId>) -> Self {
        let members: Vec<Member> = members.into_iter().map(|id| Member::new(id, MemberPhase::Active)).collect();
        let version = MembershipVersion { uid: "group".to_owned(), number: members.len() as u64 };
        let mut roster = Self::new(me);
        roster.take(&Membership { version, members, first: None, settings: Settings::default(), follows: Vec::new() });
        roster
    }

    /// The replica whose roster this is.
    pub const fn me(&self) -> ReplicaId {
        self.me
    }

    /// Whether this replica is leaving.
    pub const fn leaving(&self) -> bool {
        self.leaving
    }

    /// This replica leaves; there is no way back.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// The newest list taken.
    pub const fn version(&self) -> Option<&MembershipVersion> {
        self.version.as_ref()
    }

    /// Takes a list, unless a newer one of the same source was taken. Phases only go forward.
    ///
    /// A newer list of the same source retires the ids that it does not name any more. One of another source may not know
    /// yet who is here: it retires only whom a list named that it says to come after.
    pub fn take(&mut self, membership: &Membership) {
        let known = self.version.as_ref().filter(|known| known.uid == membership.version.uid);
        if known.is_some_and(|known| known.number > membership.version.number) {
            return;
        }
        let named = |id: ReplicaId| membership.member(id).is_some();
        let was_named = known.is_some() && self.row(self.me).is_some();
        let gone = membership.member(self.me).is_some_and(|row| row.phase == MemberPhase::Gone);
        self.fenced |= gone || (was_named && !named(self.me));
        if known.is_some() {
            let rows = self.rows.clone();
            self.peers.retain(|id, _| named(*id) || rows.iter().all(|row| row.replica != *id));
        } else if let Some(former) = &self.version {
            for id in self.peers.keys().filter(|id| !named(**id)) {
                self.kept.entry(*id).or_insert_with(|| former.clone());
            }
        }
        self.kept.retain(|id, _| !named(*id));
        let follows = |former: &MembershipVersion| membership.is_after(former) || active(Mutant::AnotherSourceRetires);
        let retires = |former: &MembershipVersion| follows(former) && !active(Mutant::AnotherSourceKeeps);
        for (id, _) in self.kept.extract_if(.., |_, former| retires(former)) {
            self.peers.remove(&id);
        }
        // What arrives after the list is handed off, though the process may not have begun to leave.
        self.leaving |= membership.member(self.me).is_some_and(|row| row.phase == MemberPhase::Leaving);
        self.version = Some(membership.version.clone());
        self.rows = Arc::new(membership.members.clone());
        let departures = membership.settings.on_departure.iter();
        self.departures = Arc::new(departures.map(|(map, what)| (map.to_string(), *what)).collect());
        for member in &membership.members {
            if member.replica != self.me {
                self.advance(member.replica, member.phase);
            }
        }
    }

    /// Takes what another view of the same replica knows; an older view changes nothing but phases that it knows to be
    /// further.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.leaving |= other.leaving;
        self.fenced |= other.fenced;
        let older = match (&self.version, &other.version) {
            (Some(mine), Some(theirs)) => theirs < mine,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if !older {
            self.version.clone_from(&other.version);
            self.rows = other.rows.clone();
            self.departures = other.departures.clone();
            self.kept.clone_from(&other.kept);
            self.peers.retain(|id, _| other.peers.contains_key(id));
        }
        for (id, peer) in &other.peers {
            if !older || self.peers.contains_key(id) {
                self.advance(*id, peer.phase);
                self.set_linked(*id, peer.linked);
            }
        }
    }

    /// A peer said of itself how far it is. Says nothing about ids that are not listed. Only a list calls somebody Gone:
    /// whoever settles, settles the same.
    pub fn heard(&mut self, replica: ReplicaId, phase: MemberPhase) {
        if phase != MemberPhase::Gone && self.peers.contains_key(&replica) {
            self.advance(replica, phase);
        }
    }

    /// A link came up or went down.
    pub fn set_linked(&mut self, replica: ReplicaId, linked: bool) {
        if let Some(peer) = self.peers.get_mut(&replica) {
            peer.linked = linked;
        }
    }

    /// A listed peer.
    pub fn peer(&self, replica: ReplicaId) -> Option<Peer> {
        self.peers.get(&replica).copied()
    }

    /// Whether an id is in use: this replica's own, or a listed one.
    pub fn lists(&self, replica: ReplicaId) -> bool {
        replica == self.me || self.peers.contains_key(&replica)
    }

    /// The ids that are in use although the list does not name them: it may not know of them.
    pub(crate) fn kept(&self) -> Vec<ReplicaId> {
        self.kept.keys().copied().collect()
    }

    /// Whether the list itself names another replica.
    pub(crate) fn names(&self, replica: ReplicaId) -> bool {
        self.peers.contains_key(&replica) && !self.kept.contains_key(&replica)
    }

    /// The ids in use, by id.
    pub fn listed(&self) -> Vec<ReplicaId> {
        let mut ids: Vec<ReplicaId> = self.peers.keys().copied().chain([self.me]).collect();
        ids.sort_unstable();
        ids
    }

    /// Names the set of listed ids, which of them are Gone, and the source of the list. Settling starts again when it changes.
    pub fn round(&self) -> u64 {
        let phase = |id| self.peers.get(&id).map_or(MemberPhase::Active, |peer| peer.phase);
        let source = self.version.as_ref().map_or("", MembershipVersion::source);
        settle_round(source, self.listed().into_iter().map(|id| (id, phase(id))))
    }

    /// Whether a list has removed this replica, which must take a new id: the list called it Gone, or did not name it
    /// although one before of the same source had. There is no way back.
    pub const fn is_fenced(&self) -> bool {
        self.fenced
    }

    /// Whether no listed id, Gone or not, came before this replica: the only one who may absorb what retired replicas
    /// have added to counters. Two at once could both count it.
    pub fn is_oldest(&self) -> bool {
        self.rows.first().is_some_and(|row| row.replica == self.me)
            && self.peers.keys().all(|id| self.row(*id).is_some())
    }

    /// Whether what a replica owns needs another owner: it leaves, is gone, or is not listed.
    pub fn is_departed(&self, replica: ReplicaId) -> bool {
        if replica == self.me {
            return self.leaving;
        }
        let stays = |peer: Peer| matches!(peer.phase, MemberPhase::Joining | MemberPhase::Active);
        self.version.is_some() && !self.peer(replica).is_some_and(stays)
    }

    /// What becomes of the keys of a map whose owner departs.
    pub fn on_departure(&self, map: &str) -> OnDeparture {
        self.departures.get(map).copied().unwrap_or_default()
    }

    /// The rows of the newest list, in the order of their arrival.
    pub fn rows(&self) -> &[Member] {
        &self.rows
    }

    /// A row of the newest list.
    pub fn row(&self, replica: ReplicaId) -> Option<&Member> {
        self.rows.iter().find(|row| row.replica == replica)
    }

    /// Listed peers that are not Gone, by id.
    pub fn members(&self) -> impl Iterator<Item = (ReplicaId, Peer)> + '_ {
        self.peers.iter().map(|(id, peer)| (*id, *peer)).filter(|(_, peer)| peer.phase != MemberPhase::Gone)
    }

    /// Listed peers that are Gone and not retired yet, by id.
    pub fn gone(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.peers.iter().filter(|(_, peer)| peer.phase == MemberPhase::Gone).map(|(id, _)| *id)
    }

    /// Members that are Active and not leaving: whose acknowledgement counts.
    pub fn survivors(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        let stays = |phase| {
            phase == MemberPhase::Active || (phase == MemberPhase::Leaving && active(Mutant::LeavingPeerCounted))
        };
        self.members().filter(move |(_, peer)| stays(peer.phase)).map(|(id, _)| id)
    }

    /// Linked members that hold the state, those that stay first.
    pub fn holders(&self) -> Vec<ReplicaId> {
        let linked =
            |phase| self.members().filter(move |(_, peer)| peer.linked && peer.phase == phase).map(|(id, _)| id);
        let active: Vec<ReplicaId> = linked(MemberPhase::Active).collect();
        if active.is_empty() { linked(MemberPhase::Leaving).collect() } else { active }
    }

    /// Whether a peer is linked.
    pub fn linked(&self, replica: ReplicaId) -> bool {
        self.peer(replica).is_some_and(|peer| peer.linked)
    }

    /// Whether a peer is known to be leaving.
    pub fn is_leaving(&self, replica: ReplicaId) -> bool {
        self.peer(replica).is_some_and(|peer| peer.phase == MemberPhase::Leaving)
    }

    fn advance(&mut self, replica: ReplicaId, phase: MemberPhase) {
        let peer = self.peers.entry(replica).or_insert(Peer { phase, linked: false });
        peer.phase = peer.phase.max(phase);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(bits: u64) -> ReplicaId {
        ReplicaId::new(bits).expect("not zero")
    }

    fn list(uid: &str, number: u64, rows: &[(u64, MemberPhase)]) -> Membership {
        Membership {
            version: MembershipVersion { uid: uid.to_owned(), number },
            members: rows.iter().map(|(bits, phase)| Member::new(id(*bits), *phase)).collect(),
            first: None,
            settings: Settings::default(),
            follows: Vec::new(),
        }
    }

    /// Of replica 1, after these lists.
    fn is_fenced_by(lists: &[Membership]) -> bool {
        let mut roster = Roster::new(id(1));
        lists.iter().for_each(|list| roster.take(list));
        roster.is_fenced()
    }

    #[test]
    fn who_was_named_and_is_not_any_more_is_fenced_as_is_who_is_called_gone() {
        use MemberPhase::{Active, Gone};
        let named = list("u", 1, &[(1, Active), (2, Active)]);
        let dropped = list("u", 2, &[(2, Active)]);
        assert!(!is_fenced_by(std::slice::from_ref(&named)));
        assert!(is_fenced_by(&[named.clone(), dropped.clone()]));
        assert!(is_fenced_by(&[list("u", 1, &[(1, Gone), (2, Active)])]));
        assert!(
            is_fenced_by(&[named.clone(), dropped.clone(), list("u", 3, &[(1, Active)])]),
            "an id never comes back"
        );
        assert!(!is_fenced_by(std::slice::from_ref(&dropped)), "a newcomer waits to be named");
        assert!(!is_fenced_by(&[dropped.clone(), named.clone()]), "an older list says nothing");
        let elsewhere = list("another", 9, &[(2, Active)]);
        assert!(!is_fenced_by(&[named, elsewhere, dropped]), "a list of another source fences nobody");
    }

    /// Replica 1, which has a list that names 2 and 3, goes by these.
    fn lists_by(lists: &[Membership]) -> Vec<u64> {
        use MemberPhase::{Active, Gone};
        let mut roster = Roster::new(id(1));
        roster.take(&list("u", 40, &[(1, Active), (2, Active), (3, Gone)]));
        lists.iter().for_each(|list| roster.take(list));
        roster.listed().into_iter().map(ReplicaId::bits).collect()
    }

    #[test]
    fn a_list_of_another_source_retires_only_whom_one_named_that_it_comes_after() {
        let bare = [(1, MemberPhase::Active), (2, MemberPhase::Active)];
        let after = |uid: &str, number, followed: &str, of: u64| Membership {
            follows: vec![MembershipVersion { uid: followed.to_owned(), number: of }],
            ..list(uid, number, &bare)
        };
        assert_eq!(lists_by(&[list("v", 41, &bare)]), [1, 2, 3]);
        assert_eq!(lists_by(&[after("v", 41, "u", 39)]), [1, 2, 3], "it may have come after 39");
        assert_eq!(lists_by(&[after("v", 41, "t", 50)]), [1, 2, 3], "numbers of another object say nothing");
        assert_eq!(lists_by(&[after("v", 41, "u", 40)]), [1, 2]);
        assert_eq!(lists_by(&[list("v", 1, &bare), after("v", 42, "u", 41)]), [1, 2], "however late it is said");
        assert_eq!(lists_by(&[list("v", 41, &bare), after("v", 41, "u", 40)]), [1, 2], "a peer had left it out");
        let later = [(1, MemberPhase::Active), (3, MemberPhase::Gone)];
        let beyond = [after("v", 41, "u", 40), list("v", 42, &later), after("w", 50, "u", 40), after("w", 51, "v", 41)];
        assert_eq!(lists_by(&beyond[..3]), [1, 2, 3], "3 is of a list that it does not come after");
        assert_eq!(lists_by(&beyond), [1, 2, 3], "it has not come after that");
    }

    /// The others would settle another set of members than this replica for ever.
    #[test]
    fn nobody_is_gone_by_its_own_word() {
        let mut roster = Roster::new(id(1));
        roster.take(&list("u", 1, &[(1, MemberPhase::Active), (2, MemberPhase::Active)]));
        let round = roster.round();
        roster.heard(id(2), MemberPhase::Gone);
        assert_eq!((roster.gone().count(), roster.round()), (0, round));
        roster.heard(id(2), MemberPhase::Leaving);
        assert!(roster.is_leaving(id(2)));
    }
}
