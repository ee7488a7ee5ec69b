//! Membership: who is a member of one group. Written by the operator only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The members of the HandoffGroup of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq, CustomResource, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "baton.dev",
    version = "v1alpha1",
    kind = "Membership",
    namespaced,
    category = "baton",
    derive = "PartialEq",
    doc = "A Membership lists the members of the HandoffGroup of the same name. The operator writes it, and agents are told of each version.",
    printcolumn(name = "Number", type_ = "integer", json_path = ".spec.number"),
    printcolumn(name = "First", type_ = "string", json_path = ".spec.first", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct MembershipSpec {
    /// The number of this version; only grows.
    #[schemars(with = "i64")]
    pub number: u64,
    /// The replica that may start without state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ReplicaId")]
    pub first: Option<ReplicaId>,
    /// The members in the order in which they came.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["replica"]))]
    pub members: Vec<MemberRow>,
    /// Versions of earlier objects of this group that this one comes after: whom one of them named is a member here, or was
    /// retired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["uid"]))]
    pub follows: Vec<Followed>,
}

/// A version of another Membership object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Followed {
    /// The object's UID.
    pub uid: String,
    /// The version's number.
    #[schemars(with = "i64")]
    pub number: u64,
}

/// One member: one run of one agent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRow {
    /// The replica id.
    pub replica: ReplicaId,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's UID.
    pub pod_uid: String,
    /// The node that the pod runs on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// The zone of that node.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// What made the pod, as `Kind/name`. Revisions are compared within one controller only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub controller: String,
    /// The controller's revision; 0 if unknown.
    #[serde(default)]
    #[schemars(with = "i64")]
    pub revision: u64,
    /// Where peers reach the agent, as host:port.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// How far the member is; only goes forward.
    pub phase: MemberPhase,
    /// Whether the member ever was Active or had the state otherwise, so may hold it until it is Gone.
    #[serde(default)]
    pub held_state: bool,
    /// Whether the member was removed although its pod had not ended, because nobody reached it for too long. Until the
    /// pod is back with a new row, or has ended, nobody who is Gone is dropped from the list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forgotten: bool,
    /// Whether the pod is a keeper: it has no app, so it takes over nothing that others own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeper: bool,
    /// The real deletion grace period of a terminating pod; 0 if unknown.
    #[serde(default)]
    #[schemars(with = "i64")]
    pub grace_seconds: u64,
    /// Who has settled a member that is Gone, if not all of them attend one operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Settlement")]
    pub settlement: Option<Settlement>,
    /// Fields of a newer release, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// Members that lack nothing of what a member that is Gone has written. When all of them do, it is not listed any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Settlement {
    /// The set of members of which they have said so, as 16 hexadecimal digits; void for any other.
    pub round: String,
    /// Who has.
    #[serde(default)]
    pub by: BTreeSet<ReplicaId>,
}

/// How far a member is. The order is the direction of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
pub enum MemberPhase {
    /// It is taking the group's state over.
    Joining,
    /// It holds the group's state and takes writes.
    Active,
    /// Its pod is going away.
    Leaving,
    /// It has ended.
    Gone,
}

/// A replica id, written as 16 hexadecimal digits: JSON numbers do not hold 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReplicaId(pub u64);

/// The text is no replica id. Nothing was changed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no replica id: 16 hexadecimal digits are")]
pub struct InvalidReplicaId(String);

// === impl ReplicaId ===

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for ReplicaId {
    type Err = InvalidReplicaId;

    fn from_str(text: &str) -> Result<Self, InvalidReplicaId> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let invalid = || InvalidReplicaId(text.chars().take(32).collect());
        if !digits {
            return Err(invalid());
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| invalid())
    }
}

impl TryFrom<String> for ReplicaId {
    type Error = InvalidReplicaId;

    fn try_from(text: String) -> Result<Self, InvalidReplicaId> {
        text.parse()
    }
}

impl From<ReplicaId> for String {
    fn from(id: ReplicaId) -> Self {
        id.to_string()
    }
}

impl JsonSchema for ReplicaId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ReplicaId".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{16}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_newer_release_survive_a_round_trip() {
        let newer = serde_json::json!({
            "replica": "00000000000000ff", "podName": "web-1", "podUid": "u", "phase": "Active",
            "heldState": true, "revision": 3, "graceSeconds": 0, "settled": {"0": 17},
        });
        let row: MemberRow = serde_json::from_value(newer.clone()).expect("a row");
        assert_eq!(row.replica, ReplicaId(255));
        assert_eq!(serde_json::to_value(&row).expect("json"), newer);
    }

    #[test]
    fn phases_are_ordered_as_time_is() {
        assert!(MemberPhase::Joining < MemberPhase::Active);
        assert!(MemberPhase::Active < MemberPhase::Leaving);
        assert!(MemberPhase::Leaving < MemberPhase::Gone);
    }

    #[test]
    fn what_is_no_replica_id_is_refused() {
        for text in ["", "ff", "00000000000000fg", "+0000000000000ff", "00000000000000ff0"] {
            assert!(text.parse::<ReplicaId>().is_err(), "{text}");
        }
    }
}
