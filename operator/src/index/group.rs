//! What the operator keeps of a HandoffGroup.

use std::fmt;

use baton_crds::{HandoffGroup, HandoffGroupSpec, HandoffGroupStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::Resource;

/// The namespace and name of a HandoffGroup, and of its Membership.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// The namespace.
    pub namespace: String,
    /// The name in it.
    pub name: String,
}

/// What the operator knows of one HandoffGroup.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupFacts {
    /// Its namespace and name.
    pub key: GroupKey,
    /// Its UID: a group deleted and made again has another.
    pub uid: String,
    /// The generation of its spec.
    pub generation: i64,
    /// When it was made: of two groups that select one pod, the older wins.
    pub created: Option<Timestamp>,
    /// Whether it is being deleted: its agents are left alone from then on.
    pub deleting: bool,
    /// What its user wants.
    pub spec: HandoffGroupSpec,
    /// What the operator last said of it.
    pub status: HandoffGroupStatus,
}

// === impl GroupKey ===

impl GroupKey {
    /// The key of a group in a namespace.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

// === impl GroupFacts ===

impl GroupFacts {
    /// What is kept of a group; nothing of one without namespace, name and UID.
    pub fn of(group: HandoffGroup) -> Option<Self> {
        let meta = group.metadata;
        Some(Self {
            key: GroupKey::new(meta.namespace?, meta.name?),
            uid: meta.uid?,
            generation: meta.generation.unwrap_or_default(),
            created: meta.creation_timestamp.map(|time| time.0),
            deleting: meta.deletion_timestamp.is_some(),
            spec: group.spec,
            status: group.status.unwrap_or_default(),
        })
    }

    /// What makes an object the group's own: it is deleted with it.
    pub fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: HandoffGroup::api_version(&()).into_owned(),
            kind: HandoffGroup::kind(&()).into_owned(),
            name: self.key.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: None,
        }
    }

    /// By age, the oldest first; the UID decides between groups of one second.
    pub fn age(&self) -> impl Ord + use<> {
        (self.created.unwrap_or(Timestamp::MAX), self.uid.clone())
    }
}
