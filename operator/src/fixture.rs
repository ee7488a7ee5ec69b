//! Small builders for tests: a group, its pods, its agents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_crds::membership::{MemberPhase, MemberRow, ReplicaId};
use baton_crds::selector::{LabelValue, Selector};
use baton_crds::status::HandoffOutcome;
use baton_crds::{HandoffGroupSpec, HandoffGroupStatus, MembershipSpec, label};

use crate::api::ApiServer;
use crate::directory::{Attendee, Known, Settled};
use crate::handoff::{Receipt, Stage};
use crate::index::{
    Agent, GroupFacts, GroupKey, GroupView, Life, Listing, OptIn, Owner, PodFacts, PodView, Revision, Standing,
    WorkloadFacts,
};
use crate::injector::Defaults;

/// Longer than anything takes in a test, on a machine that does other things too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

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
        owner: Some(Owner { kind: "ReplicaSet".into(), name: "web-1".into(), uid: "uid-web-1".into() }),
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
        workloads: BTreeMap::new(),
        listing: None,
        remembered: None,
        conflicts: BTreeMap::new(),
        terminations: BTreeMap::new(),
        namespace_opt_in: OptIn::Unsaid,
    }
}

/// A keeper of `web`, as [`keeper_set`] makes it.
pub(crate) fn keeper(name: &str) -> PodFacts {
    let labels = [(label::GROUP, "web"), (label::KEEPER, label::KEEPER_TRUE)];
    PodFacts {
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        owner: Some(Owner { kind: "StatefulSet".into(), name: "web-keeper".into(), uid: "uid-web-keeper".into() }),
        ..pod(name)
    }
}

/// What agents are injected with.
pub(crate) fn defaults() -> Defaults {
    Defaults { image: "agent:1".into(), operator: "https://operator:7080".into(), traces: None }
}

/// The StatefulSet of the keepers of `web`.
pub(crate) fn keeper_set(replicas: i64) -> WorkloadFacts {
    WorkloadFacts {
        kind: "StatefulSet",
        name: "web-keeper".into(),
        uid: "uid-web-keeper".into(),
        group: Some("group-web".into()),
        labels: BTreeMap::new(),
        generation: 1,
        replicas,
        revision: Revision::Hash("1".into()),
        is_rolled_out: true,
        overlaps: replicas > 1,
    }
}

/// A Membership of `web` with this number and these rows.
pub(crate) fn listing(number: u64, first: Option<u64>, members: Vec<MemberRow>) -> Listing {
    Listing {
        uid: "list".into(),
        resource_version: number.to_string(),
        owner: Some("group-web".into()),
        spec: MembershipSpec { number, first: first.map(ReplicaId), members, follows: Vec::new() },
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
        keeper: false,
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
        forwarded: false,
        pod_name: pod.into(),
        pod_uid: format!("uid-{pod}"),
        node: "node-1".into(),
        address: format!("{pod}:7072"),
        phase,
        held_state: phase >= MemberPhase::Active,
        keeper: false,
        in_sync: true,
        keys: 0,
        bytes: 0,
        tombstones: 0,
        reached: BTreeSet::new(),
        says_whom_it_reaches: false,
        known: None,
        settled: Settled::default(),
    }
}

/// A list that an agent knows.
pub(crate) fn known(uid: &str, number: u64, rows: Vec<MemberRow>) -> Option<Known> {
    Some(Known { uid: uid.into(), number, rows: rows.into(), follows: Vec::new() })
}

/// What is said of the departure of an agent in pod `a`.
pub(crate) fn receipt(replica: u64, stage: Stage, outcome: HandoffOutcome) -> Receipt {
    Receipt {
        replica: ReplicaId(replica),
        pod_name: "a".into(),
        pod_uid: "uid-a".into(),
        stage,
        outcome,
        keys: 40,
        keys_unacknowledged: 0,
        keys_unadopted: 0,
        keys_unconfirmed: 0,
        released: false,
        bytes: 0,
        survivors: vec![],
        hold_millis: 12,
        tail_millis: 0,
        message: String::new(),
    }
}

/// The requests that an API server got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<parking_lot::Mutex<Vec<ApiRequest>>>);

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct ApiRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: serde_json::Value,
}

// === impl Requests ===

impl Requests {
    /// An API server that answers each method and path with a status and a body, and what it gets.
    pub(crate) fn answer(
        answer: impl Fn(&str, &str) -> (u16, serde_json::Value) + Send + Sync + 'static,
    ) -> (ApiServer, Self) {
        // An apply is answered with what was applied.
        Self::keep(move |method, path, object| match answer(method, path) {
            (200, _) if method == "PATCH" => (200, object.clone()),
            answered => answered,
        })
    }

    /// As [`Self::answer`], by an API server that looks at what it is given.
    pub(crate) fn keep(
        answer: impl Fn(&str, &str, &serde_json::Value) -> (u16, serde_json::Value) + Send + Sync + 'static,
    ) -> (ApiServer, Self) {
        Self::look(move |request| answer(&request.method, &request.path, &request.body))
    }

    /// The same, by one that looks at all of a request.
    pub(crate) fn look(
        answer: impl Fn(&ApiRequest) -> (u16, serde_json::Value) + Send + Sync + 'static,
    ) -> (ApiServer, Self) {
        let (requests, answer) = (Self::default(), Arc::new(answer));
        let got = requests.clone();
        let service = tower::service_fn(move |request: hyper::Request<kube::client::Body>| {
            let (got, answer) = (got.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap_or_default();
                let one = ApiRequest {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                };
                let (status, body) = answer(&one);
                got.0.lock().push(one);
                let body = kube::client::Body::from(serde_json::to_vec(&body).expect("JSON"));
                Ok::<_, std::io::Error>(hyper::Response::builder().status(status).body(body).expect("a response"))
            }
        });
        (ApiServer::new(kube::Client::new(service, "default")), requests)
    }

    /// Takes what comes until so many of it are what is looked for: those.
    pub(crate) async fn wait_for(&self, count: usize, like: impl Fn(&ApiRequest) -> bool) -> Vec<ApiRequest> {
        let wait = async {
            let mut found = Vec::new();
            loop {
                found.extend(self.take().into_iter().filter(&like));
                if found.len() >= count {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it comes in time")
    }

    /// Takes what came so far.
    pub(crate) fn take(&self) -> Vec<ApiRequest> {
        std::mem::take(&mut self.0.lock())
    }
}
