//! Whether a pod belongs to a group: by the index, and by the API server where the index does not know.

use baton_crds::label;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;

use crate::api::{ApiError, ApiServer};
use crate::index::{GroupKey, GroupView, Life, PodFacts, SharedIndex, Standing, WorkloadFacts};

/// Why an agent is turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// Whether asking again later can help.
    pub(crate) retry: bool,
    /// The reason in a sentence.
    pub(crate) message: String,
}

/// A pod, as who is in it says.
#[derive(Clone, Copy, Debug)]
struct Claim<'a> {
    name: &'a str,
    uid: &'a str,
}

/// Checks that the pod of this name and UID belongs to the group and has not ended.
pub(crate) async fn check(
    index: &SharedIndex,
    api: &ApiServer,
    key: &GroupKey,
    name: &str,
    uid: &str,
) -> Result<(), Rejection> {
    let Some(view) = index.read().view(key).map(|view| view.borrow().clone()) else {
        return Err(Rejection::later(format!("there is no HandoffGroup {key}, or it was not seen yet")));
    };
    let claim = Claim { name, uid };
    if let Some(verdict) = known(&view, claim) {
        return verdict;
    }
    let unreadable = |error: ApiError| Rejection::later(format!("the pod {name} cannot be read: {error}"));
    let pods: Api<Pod> = Api::namespaced(api.client(), &key.namespace);
    let pod = api.call(pods.get_opt(name)).await.map_err(unreadable)?.as_ref().and_then(PodFacts::of);
    let set = match pod.as_ref().and_then(PodFacts::keeper_set) {
        Some(owner) => {
            let sets: Api<StatefulSet> = Api::namespaced(api.client(), &key.namespace);
            let set = api.call(sets.get_opt(&owner.name)).await.map_err(unreadable)?;
            set.and_then(WorkloadFacts::of_stateful_set).map(|(_, set)| set)
        }
        None => None,
    };
    live(&view, claim, pod, set)
}

/// What the index says; nothing if it does not know the pod.
fn known(view: &GroupView, claim: Claim<'_>) -> Option<Result<(), Rejection>> {
    let pod = view.pod(claim.name, claim.uid)?;
    if pod.facts.life == Life::Finished {
        return Some(Err(Rejection::never(format!("the pod {} has ended", claim.name))));
    }
    match pod.standing {
        Standing::Selected | Standing::Keeper | Standing::Stray => Some(Ok(())),
    }
}

/// What a live read of the pod says, and of the StatefulSet that has made it, if it says that it is a keeper.
fn live(
    view: &GroupView,
    claim: Claim<'_>,
    found: Option<PodFacts>,
    set: Option<WorkloadFacts>,
) -> Result<(), Rejection> {
    let Claim { name, uid } = claim;
    let group = &view.group.key;
    let Some(pod) = found.filter(|pod| pod.uid == uid) else {
        return Err(Rejection::later(format!("there is no pod {name} with UID {uid}")));
    };
    if pod.life == Life::Finished {
        return Err(Rejection::never(format!("the pod {name} has ended")));
    }
    if let Some(owner) = pod.keeper_set() {
        let Some(set) = set.filter(|set| set.uid == owner.uid) else {
            return Err(Rejection::later(format!("there is no StatefulSet {} with UID {}", owner.name, owner.uid)));
        };
        if set.group.as_ref() != Some(&view.group.uid) {
            return Err(Rejection::never(format!(
                "the pod {name} is no keeper of the HandoffGroup {group}: the StatefulSet {} does not belong to it",
                set.name
            )));
        }
        return Ok(());
    }
    let injected = pod.injected_for() == Some(group.name.as_str());
    if injected || view.group.spec.selector.matches(&pod.labels) && !view.conflicts.contains_key(name) {
        return Ok(());
    }
    Err(Rejection::never(format!(
        "the pod {name} does not belong to the HandoffGroup {group}: its label {} does not name it",
        label::GROUP
    )))
}

// === impl Rejection ===

impl Rejection {
    pub(crate) fn later(message: String) -> Self {
        Self { retry: true, message }
    }

    pub(crate) fn never(message: String) -> Self {
        Self { retry: false, message }
    }
}
