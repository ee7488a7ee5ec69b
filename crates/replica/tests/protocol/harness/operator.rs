//! The source of the member lists: it registers, takes reports and buries; agents hear of it late.

use std::collections::VecDeque;
use std::rc::Rc;

use baton_replica::{Member, MemberPhase, Membership, MembershipVersion, ReplicaId, Settings};

/// The operator and every change it has made, of which the newest list is all that counts.
#[derive(Debug)]
pub(crate) struct Operator {
    list: Rc<Membership>,
    /// Ended, and not listed as Gone yet.
    unburied: VecDeque<ReplicaId>,
}

/// A list that says so.
pub(crate) fn list(number: u64, rows: &[(ReplicaId, MemberPhase)]) -> Membership {
    let version = MembershipVersion { uid: "list".into(), number };
    let members = rows.iter().map(|(replica, phase)| row(*replica, *phase)).collect();
    Membership { version, members, first: None, settings: Settings::default(), follows: Vec::new() }
}

// === impl Operator ===

impl Operator {
    pub(crate) fn new() -> Self {
        Self { list: Rc::new(list(0, &[])), unburied: VecDeque::new() }
    }

    /// The newest list.
    pub(crate) fn list(&self) -> Rc<Membership> {
        self.list.clone()
    }

    /// A new agent said hello.
    pub(crate) fn register(&mut self, replica: ReplicaId) {
        self.change(|list| list.members.push(row(replica, MemberPhase::Joining)));
    }

    /// An agent reported its phase, or its pod's was seen to change.
    pub(crate) fn report(&mut self, replica: ReplicaId, phase: MemberPhase) {
        self.change(|list| {
            for member in list.members.iter_mut().filter(|member| member.replica == replica) {
                member.phase = member.phase.max(phase);
                member.held_state |= phase == MemberPhase::Active;
            }
        });
    }

    /// An agent runs without an app.
    pub(crate) fn has_no_app(&mut self, replica: ReplicaId) {
        let of = |member: &&mut Member| member.replica == replica;
        self.change(|list| list.members.iter_mut().filter(of).for_each(|member| member.keeper = true));
    }

    /// An agent's pod runs on this node.
    pub(crate) fn runs_on(&mut self, replica: ReplicaId, node: &str) {
        let of = |member: &&mut Member| member.replica == replica;
        self.change(|list| list.members.iter_mut().filter(of).for_each(|member| member.node = node.into()));
    }

    /// A process has ended; the list says so once [`Self::bury`] is called.
    pub(crate) fn ended(&mut self, replica: ReplicaId) {
        self.unburied.push_back(replica);
    }

    /// Lists the longest ended process as Gone; says whether there was one.
    pub(crate) fn bury(&mut self) -> bool {
        let Some(replica) = self.unburied.pop_front() else {
            return false;
        };
        self.report(replica, MemberPhase::Gone);
        true
    }

    /// The ids that are Gone and not retired.
    pub(crate) fn gone(&self) -> Vec<ReplicaId> {
        let gone = self.list.members.iter().filter(|member| member.phase == MemberPhase::Gone);
        gone.map(|member| member.replica).collect()
    }

    /// Lists an id no more.
    pub(crate) fn retire(&mut self, replica: ReplicaId) {
        self.change(|list| list.members.retain(|member| member.replica != replica));
    }

    fn change(&mut self, change: impl FnOnce(&mut Membership)) {
        let mut list = (*self.list).clone();
        list.version.number += 1;
        change(&mut list);
        self.list = Rc::new(list);
    }
}

fn row(replica: ReplicaId, phase: MemberPhase) -> Member {
    let pod = format!("pod-{replica}");
    Member {
        replica,
        pod_name: pod.clone(),
        pod_uid: pod,
        node: format!("node-{}", replica.bits() / 4 % 2),
        zone: "zone".into(),
        controller: "web".into(),
        revision: 1,
        address: "127.0.0.1:7072".into(),
        phase,
        held_state: false,
        grace: None,
        keeper: false,
    }
}
