//! All that is known of one group at one moment, as the index publishes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{GroupFacts, Listing, OptIn, PodFacts, Termination, WorkloadFacts};

/// All that the API server has told of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupView {
    /// The group itself.
    pub group: Arc<GroupFacts>,
    /// Its pods, and those that its Membership names, by name.
    pub pods: BTreeMap<String, PodView>,
    /// What makes its pods, by `Kind/name`.
    pub workloads: BTreeMap<String, Arc<WorkloadFacts>>,
    /// Its Membership, if there is one.
    pub listing: Option<Arc<Listing>>,
    /// The last Membership before that one, if it was another object: what was known is not forgotten
    /// because an object was deleted.
    pub remembered: Option<Arc<Listing>>,
    /// Pods that it selects and another group keeps, with that group's name.
    pub conflicts: BTreeMap<String, String>,
    /// How agents of pods ended that may be gone by now, by pod UID.
    pub terminations: BTreeMap<String, Termination>,
    /// What the namespace's label says about agents.
    pub namespace_opt_in: OptIn,
}

/// One pod as its group sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct PodView {
    /// The pod.
    pub facts: Arc<PodFacts>,
    /// Whether it belongs to the group.
    pub standing: Standing,
    /// Its controller as `Kind/name`, for a ReplicaSet the Deployment; empty if it has none.
    pub controller: String,
    /// The controller's revision that it comes from; 0 if unknown.
    pub revision: u64,
}

/// Whether a pod belongs to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The group selects it.
    Selected,
    /// It is a keeper: made by a StatefulSet that is the group's own.
    Keeper,
    /// It was a member's or was injected for the group, and the group does not select it any more.
    Stray,
}

// === impl GroupView ===

impl GroupView {
    /// The pod with this name, if it has this UID.
    pub fn pod(&self, name: &str, uid: &str) -> Option<&PodView> {
        self.pods.get(name).filter(|pod| pod.facts.uid == uid)
    }

    /// Whether the Membership has a row of this pod that has not ended.
    pub(super) fn names(&self, uid: &str) -> bool {
        self.listing.iter().any(|listing| listing.present().any(|row| row.pod_uid == uid))
    }
}
