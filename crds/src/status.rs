//! What the operator says about a HandoffGroup.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator has seen of a group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandoffGroupStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub observed_generation: Option<i64>,
    /// How many members there are: Joining, Active or Leaving.
    #[serde(default)]
    pub members: i32,
    /// How many of them are Active keepers.
    #[serde(default)]
    pub keepers: i32,
    /// How many Active members have applied what their peers have.
    #[serde(default)]
    pub in_sync: i32,
    /// How many members are leaving.
    #[serde(default)]
    pub draining: i32,
    /// The most keys that one member reports.
    #[serde(default)]
    pub keys: i64,
    /// The most bytes of keys and values that one member reports.
    #[serde(default)]
    pub bytes: i64,
    /// The newest handoff that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LastHandoff")]
    pub last_handoff: Option<LastHandoff>,
    /// The newest handoff that has ended without success: `Failed` or `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LastHandoff")]
    pub last_unsuccessful_handoff: Option<LastHandoff>,
    /// What makes the group's pods, and which of its generations is really over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind", "name"]))]
    pub workloads: Vec<WorkloadStatus>,
    /// `Ready`, `InSync`, `HandoffSafe`, `Drained` and `Degraded`.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// How far a workload's rollouts are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadStatus {
    /// `Deployment`, `StatefulSet` or `DaemonSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The newest generation whose rollout is really over: all pods are of it, and the last pod of an older one has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub drained_generation: Option<i64>,
}

/// How the handoff of one pod ended.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastHandoff {
    /// The pod that left.
    pub pod: String,
    /// How it ended.
    pub outcome: HandoffOutcome,
    /// When the operator learned of it.
    pub at: Time,
    /// How many keys the pod held.
    #[serde(default)]
    pub keys: i64,
    /// How many of them no survivor had acknowledged.
    #[serde(default)]
    pub keys_unacknowledged: i64,
    /// How long the pod's end was held for it, in milliseconds.
    #[serde(default)]
    pub hold_millis: i64,
    /// The outcome in a sentence.
    #[serde(default)]
    pub message: String,
}

/// How a handoff ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum HandoffOutcome {
    /// Survivors hold everything.
    Acknowledged,
    /// Some keys were not acknowledged by enough survivors.
    Failed,
    /// The pod ended without saying how.
    Unknown,
    /// The pod held nothing.
    NothingToHandOff,
}
