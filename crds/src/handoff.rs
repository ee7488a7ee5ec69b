//! Handoff: how one member left its group. Written by the operator, one for each member that has left.

// Columns of one type are no duplicates.
#![allow(clippy::duplicated_attributes)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::membership::ReplicaId;
use crate::status::HandoffOutcome;

/// Who left.
#[derive(Clone, Debug, PartialEq, Eq, CustomResource, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "baton.dev",
    version = "v1alpha1",
    kind = "Handoff",
    namespaced,
    shortname = "ho",
    category = "baton",
    status = "HandoffStatus",
    derive = "PartialEq",
    doc = "A Handoff says how one member left its HandoffGroup, and whether survivors have all that it held. The operator writes it and deletes it after a time.",
    printcolumn(name = "Group", type_ = "string", json_path = ".spec.group"),
    printcolumn(name = "Pod", type_ = "string", json_path = ".spec.podName"),
    printcolumn(
        name = "Acknowledged",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Acknowledged')].status"
    ),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Acknowledged')].reason"),
    printcolumn(name = "Keys", type_ = "integer", json_path = ".status.keys"),
    printcolumn(name = "Hold ms", type_ = "integer", json_path = ".status.holdMillis"),
    printcolumn(name = "Left", type_ = "string", json_path = ".spec.reason", priority = 1),
    printcolumn(name = "Unacknowledged", type_ = "integer", json_path = ".status.keysUnacknowledged", priority = 1),
    printcolumn(name = "Survivors", type_ = "string", json_path = ".status.survivors", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct HandoffRecord {
    /// The HandoffGroup.
    pub group: String,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's UID.
    pub pod_uid: String,
    /// The node that the pod ran on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// The replica id.
    pub replica: ReplicaId,
    /// Why the member left.
    pub reason: DepartureReason,
}

/// Why a member left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum DepartureReason {
    /// Its pod was deleted: by a rollout, a scale-down, an eviction or a person.
    PodDeleted,
    /// Its pod came to an end without being deleted.
    PodFinished,
    /// Its pod does not match the group's selector any more.
    PodRelabelled,
    /// Its agent was told to leave, or to stop, while the pod stays.
    AgentStopped,
    /// Its pod was gone without notice: by force, or with its node.
    PodVanished,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandoffStatus {
    /// How it ended.
    pub outcome: HandoffOutcome,
    /// When the operator learned of it.
    pub at: Time,
    /// How many keys the member held.
    #[serde(default)]
    pub keys: i64,
    /// How many bytes of keys and values it held.
    #[serde(default)]
    pub bytes: i64,
    /// How many of the keys no survivor had acknowledged.
    #[serde(default)]
    pub keys_unacknowledged: i64,
    /// How many keys it still owned, if the group waits for them to have another owner.
    #[serde(default)]
    pub keys_unadopted: i64,
    /// How many keys its new owners had not confirmed, if the group waits for that.
    #[serde(default)]
    pub keys_unconfirmed: i64,
    /// Pods that have all that it held; some of them if they are many.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub survivors: Vec<String>,
    /// How long the pod's end was held for the handoff, in milliseconds.
    #[serde(default)]
    pub hold_millis: i64,
    /// How long the agent waited for the last writes after the app had ended, in milliseconds.
    #[serde(default)]
    pub tail_millis: i64,
    /// `Acknowledged`: whether survivors have all that the member held.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
