//! What a process at a listed address says of itself.

use baton_replica::{MemberPhase, ReplicaId};

use crate::convert::{WireError, phase_from_wire};
use crate::peer as wire;

/// Ended processes that one answer may name: more than a group without an operator has restarts.
const MAX_GONE: usize = 16_384;

/// Who answers at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// The group that it belongs to.
    pub group: String,
    /// Its id.
    pub replica: ReplicaId,
    /// Its phase.
    pub phase: MemberPhase,
    /// Its slot in the members file.
    pub name: String,
    /// Processes that it has seen end; what it names beyond the limit is passed over.
    pub gone: Vec<ReplicaId>,
}

/// An answer from the wire.
pub fn identity_from_wire(identity: wire::Identity) -> Result<Identified, WireError> {
    let wire::Identity { group, replica, phase, pod_name: name, gone } = identity;
    let replica = ReplicaId::new(replica).ok_or(WireError::Missing("the replica id"))?;
    let phase = phase_from_wire(phase).ok_or(WireError::Malformed("the phase"))?;
    let gone = gone.into_iter().take(MAX_GONE).filter_map(ReplicaId::new).collect();
    Ok(Identified { group, replica, phase, name, gone })
}
