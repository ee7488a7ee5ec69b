//! What an agent says, from what it knows.

use baton_replica::{MemberPhase, ReplicaId, settle_round};
use baton_wire::directory as wire;
use baton_wire::directory::report::Body;

use super::Pod;

/// What one agent knows and has said.
#[derive(Default)]
pub(super) struct Speech {
    pub(super) replica: u64,
    pub(super) phase: wire::Phase,
    pub(super) list: Option<wire::Membership>,
    keys: u64,
    reached: Vec<u64>,
    settled: wire::Settled,
}

// === impl Speech ===

impl Speech {
    /// An agent of this id that has said nothing.
    pub(super) fn new(replica: u64, phase: wire::Phase, list: Option<wire::Membership>) -> Self {
        Self { replica, phase, list, ..Self::default() }
    }

    /// The first words of a stream: what was said on an earlier one is said again.
    pub(super) fn hello(&mut self, pod: &Pod) -> Body {
        (self.reached, self.settled) = Default::default();
        Body::Hello(wire::Hello {
            namespace: pod.namespace.clone(),
            group: pod.group.clone(),
            pod_name: pod.name.clone(),
            pod_uid: pod.uid.clone(),
            node: pod.node.clone(),
            replica: self.replica,
            address: pod.address.clone(),
            phase: self.phase.into(),
            known: self.list.as_ref().and_then(|list| list.version.clone()),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            members: self.list.as_ref().map(|list| list.members.clone()).unwrap_or_default(),
            held_state: self.holds_state(),
            keeper: false,
            age_millis: 0,
            follows: self.list.as_ref().map(|list| list.follows.clone()).unwrap_or_default(),
        })
    }

    /// The phase, with numbers that are others each time.
    pub(super) fn phase(&mut self) -> Body {
        self.keys += 1;
        Body::Phase(wire::PhaseReport {
            phase: self.phase.into(),
            in_sync: self.holds_state(),
            keys: self.keys,
            bytes: 256 * self.keys,
            held_state: self.holds_state(),
            tombstones: 0,
        })
    }

    /// What has changed since it was last said: whom it reaches, and whom it has settled.
    pub(super) fn news(&mut self) -> Vec<Body> {
        let Some(list) = &self.list else { return Vec::new() };
        let mut news = Vec::new();
        let is_gone = |member: &&wire::Member| member.phase() == wire::Phase::Gone;
        let others = list.members.iter().filter(|member| member.replica != self.replica);
        let mut reached: Vec<u64> = others.filter(|member| !is_gone(member)).map(|member| member.replica).collect();
        reached.sort_unstable();
        if reached != self.reached {
            self.reached.clone_from(&reached);
            news.push(Body::Reachability(wire::Reachability { reached, always: true }));
        }
        let replicas: Vec<u64> = list.members.iter().filter(is_gone).map(|member| member.replica).collect();
        let silent = replicas.is_empty() && self.settled.replicas.is_empty();
        let settled = wire::Settled { round: round(list), replicas };
        if !silent && settled != self.settled {
            self.settled = settled.clone();
            news.push(Body::Settled(settled));
        }
        news
    }

    /// What a departure is accompanied by.
    pub(super) fn receipt(&self, pod: &Pod, stage: wire::handoff_report::Stage) -> Body {
        let begins = stage == wire::handoff_report::Stage::Started;
        let outcome = if begins { wire::Outcome::Unspecified } else { wire::Outcome::Acknowledged };
        Body::Handoff(wire::HandoffReport {
            replica: self.replica,
            pod_name: pod.name.clone(),
            pod_uid: pod.uid.clone(),
            stage: stage.into(),
            outcome: outcome.into(),
            keys: self.keys,
            bytes: 256 * self.keys,
            hold_millis: 12,
            ..Default::default()
        })
    }

    /// Its own row.
    pub(super) fn own(&self) -> Option<&wire::Member> {
        self.list.as_ref()?.members.iter().find(|member| member.replica == self.replica)
    }

    fn holds_state(&self) -> bool {
        self.phase >= wire::Phase::Active
    }
}

/// The name of a set of members, as agents have it.
fn round(list: &wire::Membership) -> u64 {
    let uid = list.version.as_ref().map_or("", |version| &version.uid);
    let ids = list.members.iter().filter_map(|member| Some((ReplicaId::new(member.replica)?, phase(member))));
    let mut listed: Vec<_> = ids.collect();
    listed.sort_unstable();
    settle_round(uid, listed)
}

fn phase(member: &wire::Member) -> MemberPhase {
    match member.phase() {
        wire::Phase::Unspecified | wire::Phase::Joining => MemberPhase::Joining,
        wire::Phase::Active => MemberPhase::Active,
        wire::Phase::Leaving => MemberPhase::Leaving,
        wire::Phase::Gone => MemberPhase::Gone,
    }
}
