//! Whether an agent that says hello is who it says, as far as the API server knows.

use baton_crds::label;
use baton_crds::membership::ReplicaId;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;

use super::Attendee;
use crate::api::ApiServer;
use crate::index::{GroupKey, GroupView, Life, PodFacts, SharedIndex, Standing};

/// Why an agent is not seated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    /// Whether asking again later can help.
    pub(super) retry: bool,
    /// The reason in a sentence.
    pub(super) message: String,
}

/// Checks an agent against the index, and against the API server where the index does not know.
pub(super) async fn check(
    index: &SharedIndex,
    api: &ApiServer,
    key: &GroupKey,
    replica: ReplicaId,
    attendee: &Attendee,
) -> Result<(), Rejection> {
    let Some(view) = index.read().view(key).map(|view| view.borrow().clone()) else {
        return Err(later(format!("there is no HandoffGroup {key}, or it was not seen yet")));
    };
    let row = view.listing.as_deref().and_then(|listing| listing.row(replica));
    if let Some(row) = row.filter(|row| row.pod_uid != attendee.pod_uid) {
        return Err(never(format!("the id {replica} is that of the pod {}", row.pod_name)));
    }
    if let Some(verdict) = known(&view, attendee) {
        return verdict;
    }
    let pods: Api<Pod> = Api::namespaced(api.client(), &key.namespace);
    match api.call(pods.get_opt(&attendee.pod_name)).await {
        Ok(found) => live(&view, attendee, found.as_ref().and_then(PodFacts::of)),
        Err(error) => Err(later(format!("the pod {} cannot be read: {error}", attendee.pod_name))),
    }
}

/// What the index says; nothing if it does not know the pod.
fn known(view: &GroupView, attendee: &Attendee) -> Option<Result<(), Rejection>> {
    let pod = view.pod(&attendee.pod_name, &attendee.pod_uid)?;
    if pod.facts.life == Life::Finished {
        return Some(Err(never(format!("the pod {} has ended", attendee.pod_name))));
    }
    match pod.standing {
        Standing::Selected | Standing::Stray => Some(Ok(())),
    }
}

/// What a live read of the pod says.
fn live(view: &GroupView, attendee: &Attendee, found: Option<PodFacts>) -> Result<(), Rejection> {
    let name = &attendee.pod_name;
    let group = &view.group.key;
    let Some(pod) = found.filter(|pod| pod.uid == attendee.pod_uid) else {
        return Err(later(format!("there is no pod {name} with UID {}", attendee.pod_uid)));
    };
    if pod.life == Life::Finished {
        return Err(never(format!("the pod {name} has ended")));
    }
    let injected = pod.injected_for() == Some(group.name.as_str());
    if injected || view.group.spec.selector.matches(&pod.labels) && !view.conflicts.contains_key(name) {
        return Ok(());
    }
    Err(never(format!(
        "the pod {name} does not belong to the HandoffGroup {group}: its label {} does not name it",
        label::GROUP
    )))
}

fn later(message: String) -> Rejection {
    Rejection { retry: true, message }
}

fn never(message: String) -> Rejection {
    Rejection { retry: false, message }
}
