//! Small builders for tests: a group, its pods, its agents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use baton_crds::membership::{MemberPhase, MemberRow, ReplicaId};
use baton_crds::selector::{LabelValue, Selector};
use baton_crds::{HandoffGroupSpec, HandoffGroupStatus, MembershipSpec, label};

use crate::directory::{Attendee, Known, Settled};
use crate::index::{Agent, GroupFacts, GroupKey, GroupView, Life, Listing, OptIn, Owner, PodFacts, PodView, Standing};

/// The group `shop/web`, made at this second.
pub(crate) fn group(name: &str, second: i64) -> GroupFacts {
    let labels = BTreeMap::from([("app".to_owned(), LabelValue("web".into()))]);
    GroupFacts {
        key: GroupKey::new("shop", name),
        uid: format!("group-{name}"),
        generation: 1,
        created: k8s_openapi::jiff::Timestamp::from_second(second).ok(),
        deleting: false,
        spec: HandoffGroupSpec::of(Selector { match_labels: labels, match_expressions: Vec::new() }),
        status: HandoffGroupStatus::default(),
    }
}

/// A pod of `web` that runs and was injected; its UID is its name with `uid-` before it.
pub(crate) fn pod(name: &str) -> PodFacts {
    PodFacts {
        name: name.into(),
        uid: format!("uid-{name}"),
        labels: BTreeMap::from([("app".into(), "web".into()), (label::GROUP.into(), "web".into())]),
        node: "node-1".into(),
        zone: String::new(),
        owner: Some(Owner { kind: "ReplicaSet".into(), name: "web-1".into() }),
        life: Life::Running,
        agent: Agent::Present { started: false, termination: None },
    }
}

/// A view of `web` with these pods, all selected, and no Membership.
pub(crate) fn view(pods: &[PodFacts]) -> GroupView {
    let placed = |facts: &PodFacts| PodView {
        facts: Arc::new(facts.clone()),
        standing: Standing::Selected,
        controller: "Deployment/web".into(),
        revision: 1,
    };
    GroupView {
        group: Arc::new(group("web", 0)),
        pods: pods.iter().map(|pod| (pod.name.clone(), placed(pod))).collect(),
        listing: None,
        remembered: None,
        conflicts: BTreeMap::new(),
        terminations: BTreeMap::new(),
        namespace_opt_in: OptIn::Unsaid,
    }
}

/// A Membership of `web` with this number and these rows.
pub(crate) fn listing(number: u64, first: Option<u64>, members: Vec<MemberRow>) -> Listing {
    Listing {
        uid: "list".into(),
        resource_version: number.to_string(),
        owner: Some("group-web".into()),
        spec: MembershipSpec { number, first: first.map(ReplicaId), members },
    }
}

/// A row as the operator writes it for [`pod`] and [`attendee`].
pub(crate) fn row(replica: u64, pod: &str, phase: MemberPhase) -> MemberRow {
    MemberRow {
        replica: ReplicaId(replica),
        pod_name: pod.into(),
        pod_uid: format!("uid-{pod}"),
        node: "node-1".into(),
        zone: String::new(),
        controller: "Deployment/web".into(),
        revision: 1,
        address: format!("{pod}:7072"),
        phase,
        held_state: phase >= MemberPhase::Active,
        grace_seconds: 0,
        forgotten: false,
        settlement: None,
        unknown: BTreeMap::new(),
    }
}

/// An agent in [`pod`] with an open stream.
pub(crate) fn attendee(arrival: u64, pod: &str, phase: MemberPhase, now: Instant) -> Attendee {
    Attendee {
        arrival,
        since: now,
        pod_name: pod.into(),
        pod_uid: format!("uid-{pod}"),
        node: "node-1".into(),
        address: format!("{pod}:7072"),
        phase,
        held_state: phase >= MemberPhase::Active,
        in_sync: true,
        keys: 0,
        bytes: 0,
        reached: BTreeSet::new(),
        says_whom_it_reaches: false,
        known: None,
        settled: Settled::default(),
    }
}

/// A list that an agent knows.
pub(crate) fn known(uid: &str, number: u64, rows: Vec<MemberRow>) -> Option<Known> {
    Some(Known { uid: uid.into(), number, rows: rows.into() })
}
