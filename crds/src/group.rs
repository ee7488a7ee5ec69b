//! HandoffGroup: which pods share state, and what must hold for it. Written by users.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::acks::Acks;
use crate::duration::Duration;
use crate::keeper::KeepersSpec;
use crate::selector::Selector;
use crate::status::HandoffGroupStatus;

/// The pods that share state, and how it is replicated and handed off.
#[derive(Clone, Debug, PartialEq, CustomResource, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "baton.dev",
    version = "v1alpha1",
    kind = "HandoffGroup",
    namespaced,
    shortname = "hg",
    category = "baton",
    status = "HandoffGroupStatus",
    derive = "PartialEq",
    doc = "A HandoffGroup names the pods that share in-memory state, and how that state is replicated and handed off.",
    validation = Rule::new("size(self.metadata.name) <= 63").message("the name of a HandoffGroup must have at most 63 characters: it becomes a pod label"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Members", type_ = "integer", json_path = ".status.members"),
    printcolumn(name = "In Sync", type_ = "integer", json_path = ".status.inSync"),
    printcolumn(name = "Draining", type_ = "integer", json_path = ".status.draining"),
    printcolumn(name = "Degraded", type_ = "string", json_path = ".status.conditions[?(@.type=='Degraded')].status"),
    printcolumn(name = "Last Handoff", type_ = "string", json_path = ".status.lastHandoff.outcome"),
    printcolumn(name = "Keepers", type_ = "integer", json_path = ".status.keepers", priority = 1),
    printcolumn(name = "Keys", type_ = "integer", json_path = ".status.keys", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct HandoffGroupSpec {
    /// Which pods of this namespace belong to the group. Cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf").message("selector cannot be changed, because running members would lose their group: create another HandoffGroup instead"))]
    pub selector: Selector,
    /// What holds for single maps. Maps that are not named here are made on first use, with the group's and the agent's
    /// defaults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64, "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub maps: Vec<MapSpec>,
    /// How writes are replicated.
    #[serde(default)]
    pub replication: ReplicationSpec,
    /// What must hold before a pod may end.
    #[serde(default)]
    pub handoff: HandoffSpec,
    /// How the list of members is kept.
    #[serde(default)]
    pub membership: MembershipPolicy,
    /// Agents without an app, which hold the group's state while its pods do not overlap.
    #[serde(default)]
    pub keepers: KeepersSpec,
    /// How the agent's container is made.
    #[serde(default)]
    pub agent: AgentSpec,
}

/// What holds for one map. A limit that is not given is the agent's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.maxBytes) || self.maxBytes >= 1024").message("maps: maxBytes must be at least 1024"),
    validation = Rule::new("!has(self.maxEntries) || self.maxEntries >= 1").message("maps: maxEntries must be at least 1"),
    validation = Rule::new("!has(self.maxValueBytes) || (self.maxValueBytes >= 1 && self.maxValueBytes <= 4194304)")
        .message("maps: maxValueBytes must be between 1 and 4194304 (4 MiB): one value is sent in one message"),
    validation = Rule::new("!has(self.maxBytes) || !has(self.maxValueBytes) || self.maxValueBytes <= self.maxBytes")
        .message("maps: maxValueBytes must not exceed maxBytes"),
    validation = Rule::new("self.name.matches('^[a-z0-9]([-a-z0-9_.]*[a-z0-9])?$')")
        .message("maps: a name consists of lower case letters, digits, '-', '_' and '.', and starts and ends with a letter or digit"),
)]
pub struct MapSpec {
    /// The map's name, as in `/v1/maps/{name}`.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The most bytes of keys and values that the map may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub max_bytes: Option<u64>,
    /// The most entries that the map may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub max_entries: Option<u64>,
    /// The most bytes that one value may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub max_value_bytes: Option<u64>,
    /// How many other members must have a write to this map before it is answered, unless the request says otherwise:
    /// a number, `majority` or `all`. The group's `replication.acks` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // A rule in a list costs more than the API server allows for what may be a long text.
    #[schemars(with = "Acks", extend("minimum" = 0, "maximum" = 16, "pattern" = "^(majority|all)$"))]
    pub acks: Option<Acks>,
    /// What becomes of the keys of this map that a member owns when it leaves or is gone.
    #[serde(default)]
    pub on_departure: OnDeparture,
}

/// What becomes of the keys that a member owns when it leaves or is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum OnDeparture {
    /// A survivor becomes their owner, and its app is told.
    #[default]
    Adopt,
    /// They stay, and nobody owns them.
    Keep,
    /// They are deleted.
    Release,
}

/// How writes are replicated.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicationSpec {
    /// Into how many shards the keys are hashed. Cannot be changed.
    #[serde(default = "default_shards")]
    #[schemars(with = "i32")]
    #[x_kube(
        validation = Rule::new("self >= 1 && self <= 256").message("replication.shards must be between 1 and 256"),
        validation = Rule::new("self == oldSelf").message("replication.shards cannot be changed: the keys of running members are already hashed into it"),
    )]
    pub shards: u32,
    /// How many other members must have a write before it is answered, unless the request says otherwise: a number,
    /// `majority` or `all`.
    #[serde(default)]
    #[x_kube(
        validation = Rule::new("type(self) == int ? self >= 0 && self <= 16 : self in ['majority', 'all']")
            .message("replication.acks must be a number between 0 and 16, or majority, or all"),
    )]
    pub acks: Acks,
    /// What happens to a write that wants acknowledgements while there is no other member.
    #[serde(default)]
    pub when_alone: WhenAlone,
}

/// What happens to a write while there is no other member to acknowledge it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum WhenAlone {
    /// The write is accepted without acknowledgement.
    #[default]
    Accept,
    /// The write is refused.
    Reject,
}

/// What must hold before a pod may end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandoffSpec {
    /// How many survivors must hold everything that a leaving pod holds.
    #[serde(default = "default_acks")]
    #[schemars(with = "i32")]
    #[x_kube(validation = Rule::new("self >= 1 && self <= 16").message("handoff.acks must be between 1 and 16"))]
    pub acks: u32,
    /// How long a leaving pod is held for that. The pod's grace period is raised to fit.
    #[serde(default = "default_timeout")]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]+(ms|s|m|h))+$')")
            .message("handoff.timeout must be a duration of whole numbers with the units ms, s, m or h, for example 20s or 1m30s"),
        validation = Rule::new("!self.matches('^([0-9]+(ms|s|m|h))+$') || (duration(self) >= duration('1s') && duration(self) <= duration('1h'))")
            .message("handoff.timeout must be between 1s and 1h"),
    )]
    pub timeout: Duration,
    /// What the hold waits for.
    #[serde(default)]
    pub completion: Completion,
    /// How long the operator keeps the Handoff records of the group.
    #[serde(default = "default_keep_records")]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]+(ms|s|m|h))+$')")
            .message("handoff.keepRecords must be a duration of whole numbers with the units ms, s, m or h, for example 1h or 24h"),
        validation = Rule::new("!self.matches('^([0-9]+(ms|s|m|h))+$') || (duration(self) >= duration('1m') && duration(self) <= duration('720h'))")
            .message("handoff.keepRecords must be between 1m and 720h"),
    )]
    pub keep_records: Duration,
}

/// What the hold of a leaving pod waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Completion {
    /// Survivors have everything that the pod has.
    #[default]
    Replicated,
    /// And nothing is owned by the pod any more.
    Adopted,
    /// And the apps beside the new owners have said that they run what they have taken over.
    Confirmed,
}

/// How the list of members is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembershipPolicy {
    /// How long all members with state may be unreachable before a new one may start empty.
    #[serde(default = "default_start_empty_after")]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]+(ms|s|m|h))+$')")
            .message("membership.startEmptyAfter must be a duration of whole numbers with the units ms, s, m or h, for example 60s or 5m"),
        validation = Rule::new("!self.matches('^([0-9]+(ms|s|m|h))+$') || (duration(self) >= duration('1s') && duration(self) <= duration('24h'))")
            .message("membership.startEmptyAfter must be between 1s and 24h"),
    )]
    pub start_empty_after: Duration,
    /// How long a member may be unreachable, for the operator and for every other member, before it is removed although
    /// its pod has not ended. Removing counts as a failure of that member: writes that nobody else has are missing until
    /// it comes back. Never if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Duration")]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]+(ms|s|m|h))+$')")
            .message("membership.forgetAfter must be a duration of whole numbers with the units ms, s, m or h, for example 10m or 24h; leave it out to forget nobody"),
        validation = Rule::new("!self.matches('^([0-9]+(ms|s|m|h))+$') || (duration(self) >= duration('30s') && duration(self) <= duration('720h'))")
            .message("membership.forgetAfter must be between 30s and 720h; leave it out to forget nobody"),
    )]
    pub forget_after: Option<Duration>,
    /// How many deleted keys a member may have to remember until all have acknowledged that, before one that has been
    /// unreachable for 30 s is removed as after `forgetAfter`.
    #[serde(default = "default_forget_above")]
    #[schemars(with = "i32")]
    #[x_kube(
        validation = Rule::new("self >= 1000").message("membership.forgetAbove must be at least 1000 keys"),
    )]
    pub forget_above: u32,
}

/// How the agent's container is made. Changes apply to pods that are created afterwards; keepers are replaced one by one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentSpec {
    /// The agent's image; the operator's own choice if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 512))]
    pub image: Option<String>,
    /// The resources of the agent's container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Resources")]
    pub resources: Option<Resources>,
    /// How much the agent logs.
    #[serde(default)]
    pub log_level: LogLevel,
}

/// What the agent's container asks for and may use.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What is set aside for the agent, for example `cpu: 20m` and `memory: 64Mi`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities")]
    pub requests: BTreeMap<String, Quantity>,
    /// The most that the agent may use. A memory limit needs room for every key of the group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities")]
    pub limits: BTreeMap<String, Quantity>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Errors only.
    Error,
    /// What needs a human, too.
    Warn,
    /// What happens to the agent, too.
    #[default]
    Info,
    /// What happens between agents, too.
    Debug,
    /// What happens to single keys, too.
    Trace,
}

// === impl HandoffGroupSpec ===

impl HandoffGroupSpec {
    /// A spec with all defaults for this selector.
    pub fn of(selector: Selector) -> Self {
        Self {
            selector,
            maps: Vec::new(),
            replication: ReplicationSpec::default(),
            handoff: HandoffSpec::default(),
            membership: MembershipPolicy::default(),
            keepers: KeepersSpec::default(),
            agent: AgentSpec::default(),
        }
    }
}

// === impl ReplicationSpec ===

impl Default for ReplicationSpec {
    fn default() -> Self {
        Self { shards: default_shards(), acks: Acks::default(), when_alone: WhenAlone::default() }
    }
}

// === impl HandoffSpec ===

impl Default for HandoffSpec {
    fn default() -> Self {
        Self {
            acks: default_acks(),
            timeout: default_timeout(),
            completion: Completion::default(),
            keep_records: default_keep_records(),
        }
    }
}

// === impl MembershipPolicy ===

impl Default for MembershipPolicy {
    fn default() -> Self {
        Self {
            start_empty_after: default_start_empty_after(),
            forget_after: None,
            forget_above: default_forget_above(),
        }
    }
}

// === impl LogLevel ===

impl LogLevel {
    /// The level as a log filter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

fn default_shards() -> u32 {
    16
}

fn default_acks() -> u32 {
    1
}

fn default_timeout() -> Duration {
    Duration::from_secs(20)
}

fn default_keep_records() -> Duration {
    Duration::from_secs(24 * 3_600)
}

fn default_start_empty_after() -> Duration {
    Duration::from_secs(60)
}

fn default_forget_above() -> u32 {
    1_000_000
}

/// Amounts by resource name, as in any container.
fn quantities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {
            "x-kubernetes-int-or-string": true,
            "pattern": r"^[0-9]+([.][0-9]*)?([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$",
        },
    })
}
