//! Members that never answer, for tests.

use baton_replica::{Member, MemberPhase, Membership, MembershipVersion, ReplicaId, Settings};

use crate::engine::Engine;

// === impl Engine ===

impl Engine {
    /// Lists this agent and so many active members, none of which answers.
    pub(crate) fn list_silent_members(&self, count: u64, accept_when_alone: bool) {
        self.list_silent(count, Settings { accept_when_alone, ..Settings::default() });
    }

    /// The same, with the settings of a group.
    pub(crate) fn list_silent(&self, count: u64, settings: Settings) {
        let me = self.replica();
        let silent = (1..=count).map(|more| ReplicaId::new(me.bits() + more).expect("not zero"));
        let row = |id: ReplicaId| Member {
            pod_name: format!("pod-{}", id.bits()),
            held_state: true,
            ..Member::new(id, MemberPhase::Active)
        };
        self.take_membership_from_source(Membership {
            version: MembershipVersion { uid: "u".to_owned(), number: 1 },
            members: [me].into_iter().chain(silent).map(row).collect(),
            first: None,
            settings,
            follows: Vec::new(),
        });
    }
}
