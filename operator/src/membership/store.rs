//! Reads and writes of the Membership object.
//!
//! Writes are merge patches that name the resource version they were derived from: a write that meets a
//! conflict changes nothing, and fields of a newer release stay.

use baton_crds::Membership;
use baton_crds::membership::MembershipSpec;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::Draft;
use crate::api::{ApiError, ApiServer};
use crate::index::{GroupFacts, Listing};

/// Who the API server says has written a field.
pub(crate) const FIELD_MANAGER: &str = "baton-operator";

/// Writes a draft over the listing that it was derived from, or as a new object.
pub(super) async fn write(
    api: &ApiServer,
    group: &GroupFacts,
    current: Option<&Listing>,
    draft: &Draft,
) -> Result<Membership, ApiError> {
    let memberships: Api<Membership> = Api::namespaced(api.client(), &group.key.namespace);
    let Some(current) = current else {
        let object = object(group, draft);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        return api.write(memberships.create(&params, &object)).await;
    };
    let patch = json!({
        "metadata": {
            "uid": current.uid,
            "resourceVersion": current.resource_version,
            "ownerReferences": [group.owner_reference()],
        },
        "spec": { "number": draft.number, "first": draft.first, "members": draft.members, "follows": draft.follows },
    });
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    api.write(memberships.patch(&group.key.name, &params, &Patch::Merge(patch))).await
}

/// Reads the object as it is now.
pub(super) async fn read(api: &ApiServer, group: &GroupFacts) -> Result<Option<Membership>, ApiError> {
    let memberships: Api<Membership> = Api::namespaced(api.client(), &group.key.namespace);
    api.call(memberships.get_opt(&group.key.name)).await
}

fn object(group: &GroupFacts, draft: &Draft) -> Membership {
    let spec = MembershipSpec {
        number: draft.number,
        first: draft.first,
        members: draft.members.clone(),
        follows: draft.follows.clone(),
    };
    let mut object = Membership::new(&group.key.name, spec);
    object.metadata.namespace = Some(group.key.namespace.clone());
    object.metadata.owner_references = Some(vec![group.owner_reference()]);
    object
}
