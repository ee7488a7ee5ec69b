//! Whether an agent that says hello is who it says: by its certificate, and as far as the API server knows.

use baton_crds::membership::ReplicaId;
use baton_identity::Member;

use super::Attendee;
use crate::api::ApiServer;
use crate::belonging::{self, Rejection};
use crate::index::{GroupKey, SharedIndex};

/// Checks that an agent's certificate is that of the pod and the group that it speaks of.
pub(super) fn check_proof(proven: &Member, key: &GroupKey, attendee: &Attendee) -> Result<(), Rejection> {
    let Member { namespace, group, pod } = proven;
    if (namespace, group, pod) == (&key.namespace, &key.name, &attendee.pod_uid) {
        return Ok(());
    }
    Err(Rejection::never(format!(
        "the agent's certificate is that of the pod with UID {pod} in the HandoffGroup {namespace}/{group}, and not of {} in {key}",
        attendee.pod_uid
    )))
}

/// Checks an agent against the index, and against the API server where the index does not know.
pub(super) async fn check(
    index: &SharedIndex,
    api: &ApiServer,
    key: &GroupKey,
    replica: ReplicaId,
    attendee: &Attendee,
) -> Result<(), Rejection> {
    let view = index.read().view(key).map(|view| view.borrow().clone());
    let listing = view.and_then(|view| view.listing.clone());
    let row = listing.as_deref().and_then(|listing| listing.row(replica));
    if let Some(row) = row.filter(|row| row.pod_uid != attendee.pod_uid) {
        return Err(Rejection::never(format!("the id {replica} is that of the pod {}", row.pod_name)));
    }
    belonging::check(index, api, key, &attendee.pod_name, &attendee.pod_uid).await
}
