//! Keepers: agents without an app, so that state survives while no two pods of the app overlap.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::group::Resources;

/// The agents without an app that the operator runs for a group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeepersSpec {
    /// How many. Two or more keep the group's state while all pods of the app are gone, and while one keeper is replaced.
    #[serde(default)]
    #[schemars(with = "i32")]
    #[x_kube(validation = Rule::new("self >= 0 && self <= 16").message("keepers.replicas must be between 0 and 16: each keeper holds all of the group's state, and two are enough to lose neither with the other"))]
    pub replicas: u32,
    /// The resources of each keeper; those of `agent` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Resources")]
    pub resources: Option<Resources>,
}
