//! What the agent says of itself and of the members: `GET /v1/status`, `GET /v1/members`, and the command `status`.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};

use crate::engine::{MemberStatus, Status};
use crate::http::Shared;
use crate::http::query::Query;
use crate::problem::Problem;

/// The agent's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusReport {
    /// `namespace/name` of the group.
    pub(crate) group: String,
    /// The id of this process.
    pub(crate) replica: String,
    /// The pod's name.
    pub(crate) pod: String,
    /// The agent's release.
    pub(crate) release: String,
    /// `Joining`, `Active`, `Draining`, `Tail` or `Sealed`.
    pub(crate) phase: String,
    /// Whether it has applied what its peers had a moment ago.
    pub(crate) in_sync: bool,
    /// Whether it is ready for traffic.
    pub(crate) ready: bool,
    /// The number of the newest member list; 0 before the first.
    pub(crate) membership: u64,
    /// The other members.
    pub(crate) members: Vec<MemberReport>,
    /// Live keys.
    pub(crate) keys: u64,
    /// Bytes of keys and values.
    pub(crate) bytes: u64,
    /// Writes that some member has not acknowledged yet.
    pub(crate) log_slots: u64,
    /// Keys held, deleted ones that are still remembered included.
    pub(crate) remembered_keys: u64,
    /// How often a shard of a peer had seen the same and held something else: a bug or a corruption, each time.
    #[serde(default)]
    pub(crate) digest_mismatches: u64,
    /// Keys that were held when the group removed this agent, of which those that the group lacks are not issued again yet.
    #[serde(default)]
    pub(crate) inherited_keys: u64,
}

/// Another member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberReport {
    /// The id of its process.
    pub(crate) replica: String,
    /// Its pod's name.
    pub(crate) pod: String,
    /// `Joining`, `Active`, `Leaving` or `Gone`.
    pub(crate) phase: String,
    /// Whether there is a link to it.
    pub(crate) link: bool,
}

/// Who belongs to the group.
#[derive(Serialize)]
pub(super) struct MembersReport {
    membership: u64,
    me: OwnReport,
    /// The others.
    members: Vec<MemberReport>,
}

/// This agent among the members.
#[derive(Serialize)]
struct OwnReport {
    replica: String,
    pod: String,
    phase: String,
}

/// `GET /v1/status`.
pub(super) async fn get(State(api): Shared, uri: Uri) -> Result<Json<StatusReport>, Problem> {
    Query::of(&uri, &[])?;
    Ok(Json(api.engine.status().into()))
}

/// `GET /v1/members`.
pub(super) async fn members(State(api): Shared, uri: Uri) -> Result<Json<MembersReport>, Problem> {
    Query::of(&uri, &[])?;
    let StatusReport { replica, pod, phase, membership, members, .. } = api.engine.status().into();
    Ok(Json(MembersReport { membership, me: OwnReport { replica, pod, phase }, members }))
}

// === impl StatusReport ===

impl From<Status> for StatusReport {
    fn from(status: Status) -> Self {
        Self {
            group: status.group,
            replica: status.replica.to_string(),
            pod: status.pod_name,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            phase: format!("{:?}", status.phase),
            in_sync: status.in_sync,
            ready: status.ready,
            membership: status.membership,
            members: status.members.into_iter().map(MemberReport::from).collect(),
            keys: status.keys,
            bytes: status.bytes,
            log_slots: status.log_slots,
            remembered_keys: status.remembered_keys,
            digest_mismatches: status.digest_mismatches,
            inherited_keys: status.inherited_keys,
        }
    }
}

// === impl MemberReport ===

impl From<MemberStatus> for MemberReport {
    fn from(member: MemberStatus) -> Self {
        Self {
            replica: member.replica.to_string(),
            pod: member.pod,
            phase: format!("{:?}", member.phase),
            link: member.linked,
        }
    }
}
