//! The custom resources of Baton, `baton.dev/v1alpha1`.
//!
//! A [`HandoffGroup`] is written by users: which pods share state, and what must hold for it. A
//! [`Membership`] is written by the operator: who is a member of one group. So is a [`Handoff`]: how one
//! member left. The YAML under `yaml/` is
//! generated from these types; `cargo run -p baton-crds --example generate` writes it again.

// KubeSchema makes a private copy of each type, with the visibility of the original.
#![allow(unreachable_pub)]

pub mod acks;
pub mod duration;
pub mod group;
pub mod handoff;
pub mod keeper;
pub mod label;
pub mod membership;
pub mod selector;
pub mod status;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

pub use acks::Acks;
pub use duration::Duration;
pub use group::{HandoffGroup, HandoffGroupSpec};
pub use handoff::Handoff;
pub use keeper::KeepersSpec;
pub use membership::{Membership, MembershipSpec};
pub use status::HandoffGroupStatus;

/// All definitions, each with the name of the file that holds its YAML.
pub fn definitions() -> [(&'static str, CustomResourceDefinition); 3] {
    [
        ("handoffgroups.yaml", HandoffGroup::crd()),
        ("handoffs.yaml", Handoff::crd()),
        ("memberships.yaml", Membership::crd()),
    ]
}
