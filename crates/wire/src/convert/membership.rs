//! Member lists.

use std::time::Duration;

use baton_replica::{MapLimits, MapName, Member, MemberPhase, Membership, MembershipVersion, ReplicaId, Settings};

use crate::convert::WireError;
use crate::directory as wire;

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
    let members: Result<Vec<Member>, WireError> = list.members.into_iter().map(member_from_wire).collect();
    Ok(Membership {
        version: MembershipVersion { uid: version.uid, number: version.number },
        members: members?,
        first: ReplicaId::new(list.first),
        settings: settings_from_wire(list.settings.unwrap_or_default()),
    })
}

/// A list for the wire.
pub fn membership_to_wire(list: &Membership) -> wire::Membership {
    wire::Membership {
        version: Some(wire::Version { uid: list.version.uid.clone(), number: list.version.number }),
        members: list.members.iter().map(member_to_wire).collect(),
        first: list.first.map_or(0, ReplicaId::bits),
        settings: Some(settings_to_wire(&list.settings)),
    }
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
    }
}

fn settings_from_wire(settings: wire::Settings) -> Settings {
    let defaults = Settings::default();
    if settings == wire::Settings::default() {
        return defaults;
    }
    let named = |map: wire::MapSettings| {
        let limit = |bound: u64| (bound > 0).then_some(bound);
        let limits = MapLimits {
            max_bytes: limit(map.max_bytes),
            max_entries: limit(map.max_entries),
            max_value_bytes: limit(map.max_value_bytes),
        };
        Some((MapName::parse(&map.name).ok()?, limits))
    };
    let timeout = Duration::from_millis(settings.handoff_timeout_millis);
    Settings {
        handoff_acks: settings.handoff_acks.max(1),
        handoff_timeout: if timeout.is_zero() { defaults.handoff_timeout } else { timeout },
        write_acks: settings.default_write_acks,
        accept_when_alone: settings.accept_when_alone,
        maps: settings.maps.into_iter().filter_map(named).collect(),
        on_departure: Vec::new(),
    }
}

fn settings_to_wire(settings: &Settings) -> wire::Settings {
    let named = |(name, limits): &(MapName, MapLimits)| wire::MapSettings {
        name: name.to_string(),
        max_bytes: limits.max_bytes.unwrap_or(0),
        max_entries: limits.max_entries.unwrap_or(0),
        max_value_bytes: limits.max_value_bytes.unwrap_or(0),
    };
    wire::Settings {
        handoff_acks: settings.handoff_acks,
        handoff_timeout_millis: settings.handoff_timeout.as_millis().try_into().unwrap_or(u64::MAX),
        default_write_acks: settings.write_acks,
        accept_when_alone: settings.accept_when_alone,
        maps: settings.maps.iter().map(named).collect(),
    }
}
