//! The operator: registers processes, takes reports, grants the first, buries. Agents hear of it late.

mod hearsay;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use baton_replica::{Member, MemberPhase, Membership, MembershipVersion, ReplicaId, Settings, settle_round};

/// Nodes, on which pods are spread.
const NODES: u32 = 3;

/// Lists kept to be pushed late.
const HISTORY: usize = 8;

/// What reaches the operator.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// An agent said hello.
    Hello { replica: ReplicaId, pod: u32, revision: u64 },
    /// An agent reported its phase.
    Phase(ReplicaId, MemberPhase),
    /// A pod is being deleted.
    Terminating { pod: u32, grace: Duration },
    /// A pod's end is proven.
    Ended { pod: u32 },
    /// A process could not be reached for long.
    Lost(ReplicaId),
    /// An agent has settled a replica that is gone: for which set of ids.
    Settled { by: ReplicaId, gone: ReplicaId, round: u64 },
    /// An agent says which list it has, and how far it is: after the object was made anew.
    Known { replica: ReplicaId, pod: u32, revision: u64, phase: MemberPhase, list: Option<Rc<Membership>> },
    /// Whoever is out of its sight has been so for long.
    Silence,
    /// Who is gone may be forgotten, after a time in which nobody was.
    Release,
}

/// The source of all lists.
#[derive(Debug)]
pub(crate) struct Operator {
    history: Vec<Rc<Membership>>,
    pods: BTreeMap<ReplicaId, u32>,
    /// Pods that are being deleted.
    terminating: BTreeMap<u32, Duration>,
    /// Processes that run, as their pods say.
    pub(crate) running: BTreeSet<ReplicaId>,
    /// Removed without proof: their processes may live on.
    removed: BTreeSet<ReplicaId>,
    /// Of each replica that is gone, who has settled it.
    settled: BTreeMap<(ReplicaId, ReplicaId), u64>,
    /// Ids that were retired, until the world has looked.
    pub(crate) retired: Vec<ReplicaId>,
    /// Whether a member holds state: it asks all that it can reach before it lets somebody start without.
    pub(crate) state_exists: bool,
    /// Who was not heard of for so long that somebody may start without their state.
    pub(crate) silent: BTreeSet<ReplicaId>,
    /// Whether it goes on listing everybody who is gone.
    pub(crate) keeps_gone: bool,
    /// What it has missed while it was away.
    pub(crate) away: Option<Vec<News>>,
    /// Pods without an app.
    pub(crate) keepers: BTreeSet<u32>,
}

// === impl News ===

impl News {
    /// The number of the list that an agent says it has.
    fn number(&self) -> u64 {
        match self {
            Self::Known { list: Some(list), .. } => list.version.number,
            _ => 0,
        }
    }
}

// === impl Operator ===

impl Operator {
    pub(crate) fn new(settings: Settings) -> Self {
        let version = MembershipVersion { uid: "list".into(), number: 0 };
        let list = Membership { version, members: Vec::new(), first: None, settings, follows: Vec::new() };
        let history = vec![Rc::new(list)];
        let (pods, removed, settled) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let (terminating, running) = (BTreeMap::new(), BTreeSet::new());
        let (retired, silent, state_exists, keeps_gone, away) = (Vec::new(), BTreeSet::new(), false, false, None);
        let keepers = BTreeSet::new();
        Self {
            history,
            pods,
            terminating,
            running,
            removed,
            settled,
            retired,
            state_exists,
            silent,
            keeps_gone,
            away,
            keepers,
        }
    }

    /// The newest list.
    pub(crate) fn list(&self) -> Rc<Membership> {
        self.list_of_age(0)
    }

    /// A list that was the newest so many changes ago, of the same object.
    pub(crate) fn list_of_age(&self, age: u64) -> Rc<Membership> {
        let at = self.history.len().saturating_sub(1 + age as usize);
        self.history[at].clone()
    }

    /// Takes news; says whether the list has changed.
    pub(crate) fn take(&mut self, news: &News) -> bool {
        let mut list = (*self.list()).clone();
        match news.clone() {
            News::Hello { replica, pod, revision } => {
                if self.pods.contains_key(&replica) {
                    return false;
                }
                self.place(&mut list, replica, pod);
                let mut row = self.row(replica, pod, revision);
                if let Some(grace) = self.terminating.get(&pod) {
                    (row.phase, row.grace) = (MemberPhase::Leaving, Some(*grace));
                }
                list.members.push(row);
            }
            News::Phase(replica, phase) => {
                for row in list.members.iter_mut().filter(|row| row.replica == replica) {
                    row.phase = row.phase.max(phase);
                    row.held_state |= phase == MemberPhase::Active;
                }
            }
            News::Terminating { pod, grace } => {
                self.terminating.insert(pod, grace);
                for row in list.members.iter_mut().filter(|row| self.pods.get(&row.replica) == Some(&pod)) {
                    row.phase = row.phase.max(MemberPhase::Leaving);
                    row.grace = Some(grace);
                }
            }
            News::Ended { pod } => {
                let rows = list.members.iter_mut().filter(|row| self.pods.get(&row.replica) == Some(&pod));
                rows.for_each(|row| row.phase = MemberPhase::Gone);
                self.forget_removed(pod);
                self.retire(&mut list);
            }
            News::Lost(replica) => {
                let present = |row: &&mut Member| row.replica == replica && row.phase != MemberPhase::Gone;
                if let Some(row) = list.members.iter_mut().find(present) {
                    row.phase = MemberPhase::Gone;
                    self.removed.insert(replica);
                }
            }
            News::Known { .. } => self.hear(&mut list, news),
            News::Settled { by, gone, round } => {
                self.settled.insert((gone, by), round);
                self.retire(&mut list);
            }
            // The world has said who it is.
            News::Silence => {}
            News::Release => {
                self.keeps_gone = false;
                self.retire(&mut list);
            }
        }
        if !self.state_exists {
            grant(&mut list, &self.silent);
        }
        if list == *self.list() {
            return false;
        }
        self.publish(list);
        true
    }

    fn publish(&mut self, mut list: Membership) {
        list.version.number += 1;
        if self.history.len() == HISTORY {
            self.history.remove(0);
        }
        self.history.push(Rc::new(list));
    }

    /// Pods whose processes were removed and may come back.
    pub(crate) fn removed_pods(&self) -> impl Iterator<Item = u32> + '_ {
        self.removed.iter().filter_map(|replica| self.pods.get(replica).copied())
    }

    /// A process is heard of for the first time. The one before it in its pod has ended.
    fn place(&mut self, list: &mut Membership, replica: ReplicaId, pod: u32) {
        let earlier = list.members.iter_mut().filter(|row| self.pods.get(&row.replica) == Some(&pod));
        earlier.for_each(|row| row.phase = MemberPhase::Gone);
        self.forget_removed(pod);
        self.pods.insert(replica, pod);
    }

    /// What was removed of a pod has come back as another, or has ended.
    fn forget_removed(&mut self, pod: u32) {
        let Self { pods, removed, .. } = self;
        removed.retain(|replica| pods.get(replica) != Some(&pod));
    }

    fn row(&self, replica: ReplicaId, pod: u32, revision: u64) -> Member {
        let keeper = self.keepers.contains(&pod);
        Member {
            replica,
            pod_name: format!("pod-{pod}"),
            pod_uid: format!("uid-{pod}"),
            node: format!("node-{}", pod % NODES),
            zone: "zone".into(),
            controller: if keeper { "keepers" } else { "web" }.into(),
            revision,
            address: "pod:7072".into(),
            phase: MemberPhase::Joining,
            held_state: false,
            grace: None,
            keeper,
        }
    }

    /// Lists those no more whom all members have settled, for the present set of ids.
    fn retire(&mut self, list: &mut Membership) {
        let members: Vec<ReplicaId> =
            list.members.iter().filter(|row| row.phase != MemberPhase::Gone).map(|row| row.replica).collect();
        // A removed process that lives on may hold what it can say of nobody who is not listed.
        if members.is_empty() || self.keeps_gone || !self.removed.is_empty() {
            return;
        }
        let listed: BTreeMap<ReplicaId, MemberPhase> =
            list.members.iter().map(|row| (row.replica, row.phase)).collect();
        let round = settle_round(&list.version.uid, listed);
        let agreed = |gone: &ReplicaId| members.iter().all(|by| self.settled.get(&(*gone, *by)) == Some(&round));
        let gone = list.members.iter().filter(|row| row.phase == MemberPhase::Gone).map(|row| row.replica);
        let retired: Vec<ReplicaId> = gone.filter(agreed).collect();
        list.members.retain(|row| !retired.contains(&row.replica));
        self.settled.retain(|(gone, _), _| !retired.contains(gone));
        self.retired.extend(retired);
    }
}

/// The right to start empty goes to the oldest that joins, while nobody is left, or heard of, who ever held the state.
fn grant(list: &mut Membership, silent: &BTreeSet<ReplicaId>) {
    let present = |row: &&Member| row.phase != MemberPhase::Gone && !silent.contains(&row.replica);
    if list.members.iter().filter(present).any(|row| row.held_state) {
        return;
    }
    let valid = list.first.is_some_and(|first| list.member(first).as_ref().is_some_and(present));
    if !valid {
        let joining = list.members.iter().filter(present).find(|row| row.phase == MemberPhase::Joining);
        list.first = joining.map(|row| row.replica);
    }
}
