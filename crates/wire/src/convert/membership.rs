//! Member lists.

use std::time::Duration;

use baton_replica::{Member, MemberPhase, Membership, MembershipVersion, ReplicaId};

use crate::convert::WireError;
use crate::convert::settings::{settings_from_wire, settings_to_wire};
use crate::directory as wire;

/// Most rows in a list: a Membership object holds far fewer, and a list in a file names some thousand ended processes.
const MAX_ROWS: usize = 32_768;

/// Most lists of other sources that one says to come after; an operator names fewer.
const MAX_FOLLOWED: usize = 64;

/// What the UIDs of lists begin with that a process has made for itself, from a members file.
pub const OF_FILE: &str = "file:";

/// Whether two lists have one order by their numbers: not if a process has made one of them for itself.
pub fn are_ordered(one: &str, other: &str) -> bool {
    one == other || !(one.starts_with(OF_FILE) || other.starts_with(OF_FILE))
}

/// A phase from the wire; `None` for one that this release does not know.
pub fn phase_from_wire(phase: i32) -> Option<MemberPhase> {
    match wire::Phase::try_from(phase).ok()? {
        wire::Phase::Unspecified => None,
        wire::Phase::Joining => Some(MemberPhase::Joining),
        wire::Phase::Active => Some(MemberPhase::Active),
        wire::Phase::Leaving => Some(MemberPhase::Leaving),
        wire::Phase::Gone => Some(MemberPhase::Gone),
    }
}

/// A phase for the wire.
pub const fn phase_to_wire(phase: MemberPhase) -> wire::Phase {
    match phase {
        MemberPhase::Joining => wire::Phase::Joining,
        MemberPhase::Active => wire::Phase::Active,
        MemberPhase::Leaving => wire::Phase::Leaving,
        MemberPhase::Gone => wire::Phase::Gone,
    }
}

/// A list from the wire. A row without an id or with an unknown phase makes the whole list unusable: half a list would
/// look like members that left.
pub fn membership_from_wire(list: wire::Membership) -> Result<Membership, WireError> {
    let version = list.version.ok_or(WireError::Missing("the membership's version"))?;
    if list.members.len() > MAX_ROWS {
        return Err(WireError::Malformed("the membership's length"));
    }
    if list.follows.len() > MAX_FOLLOWED {
        return Err(WireError::Malformed("what the membership comes after"));
    }
    let members: Result<Vec<Member>, WireError> = list.members.into_iter().map(member_from_wire).collect();
    Ok(Membership {
        version: version_from_wire(version),
        members: members?,
        first: ReplicaId::new(list.first),
        settings: settings_from_wire(list.settings.unwrap_or_default()),
        follows: list.follows.into_iter().map(version_from_wire).collect(),
    })
}

/// A list for the wire.
pub fn membership_to_wire(list: &Membership) -> wire::Membership {
    wire::Membership {
        version: Some(version_to_wire(&list.version)),
        members: list.members.iter().map(member_to_wire).collect(),
        first: list.first.map_or(0, ReplicaId::bits),
        settings: Some(settings_to_wire(&list.settings)),
        follows: list.follows.iter().map(version_to_wire).collect(),
    }
}

fn version_from_wire(version: wire::Version) -> MembershipVersion {
    MembershipVersion { uid: version.uid, number: version.number }
}

fn version_to_wire(version: &MembershipVersion) -> wire::Version {
    wire::Version { uid: version.uid.clone(), number: version.number }
}

fn member_from_wire(row: wire::Member) -> Result<Member, WireError> {
    Ok(Member {
        replica: ReplicaId::new(row.replica).ok_or(WireError::Missing("a member's replica id"))?,
        phase: phase_from_wire(row.phase).ok_or(WireError::Malformed("a member's phase"))?,
        pod_name: row.pod_name,
        pod_uid: row.pod_uid,
        node: row.node,
        zone: row.zone,
        controller: row.controller,
        revision: row.revision,
        address: row.address,
        held_state: row.held_state,
        grace: (row.grace_seconds > 0).then(|| Duration::from_secs(row.grace_seconds)),
        keeper: row.keeper,
    })
}

fn member_to_wire(row: &Member) -> wire::Member {
    wire::Member {
        replica: row.replica.bits(),
        pod_name: row.pod_name.clone(),
        pod_uid: row.pod_uid.clone(),
        node: row.node.clone(),
        zone: row.zone.clone(),
        controller: row.controller.clone(),
        revision: row.revision,
        address: row.address.clone(),
        phase: phase_to_wire(row.phase).into(),
        held_state: row.held_state,
        grace_seconds: row.grace.map_or(0, |grace| grace.as_secs()),
        keeper: row.keeper,
    }
}
