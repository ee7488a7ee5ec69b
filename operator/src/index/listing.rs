//! What the operator keeps of a Membership object.

use baton_crds::membership::{MemberPhase, MemberRow, ReplicaId};
use baton_crds::{Membership, MembershipSpec};

use super::GroupKey;

/// One version of a group's Membership object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The object's UID: numbers are compared only under one.
    pub uid: String,
    /// What a write to it must name.
    pub resource_version: String,
    /// The UID of the HandoffGroup that owns it.
    pub owner: Option<String>,
    /// Who is a member.
    pub spec: MembershipSpec,
}

// === impl Listing ===

impl Listing {
    /// What is kept of a Membership, and of which group it is.
    pub fn of(membership: Membership) -> Option<(GroupKey, Self)> {
        let meta = membership.metadata;
        let key = GroupKey::new(meta.namespace?, meta.name?);
        let owner = meta.owner_references.into_iter().flatten().find(|owner| owner.controller == Some(true));
        let listing = Self {
            uid: meta.uid?,
            resource_version: meta.resource_version?,
            owner: owner.map(|owner| owner.uid),
            spec: membership.spec,
        };
        Some((key, listing))
    }

    /// The row of a replica.
    pub fn row(&self, replica: ReplicaId) -> Option<&MemberRow> {
        self.spec.members.iter().find(|row| row.replica == replica)
    }

    /// The rows of replicas that have not ended.
    pub fn present(&self) -> impl Iterator<Item = &MemberRow> {
        self.spec.members.iter().filter(|row| row.phase != MemberPhase::Gone)
    }

    /// Whether the other is an earlier state of the same object. Resource versions of one object are
    /// ordered numbers; what cannot be compared is taken as news.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let (Ok(own), Ok(theirs)) = (self.resource_version.parse::<u128>(), other.resource_version.parse::<u128>())
        else {
            return false;
        };
        self.uid == other.uid && own > theirs
    }
}
