//! Between the wire and the operator's types. What an agent sends is checked here, once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use baton_crds::Acks;
use baton_crds::group::{Completion, HandoffGroupSpec, MapSpec, OnDeparture, WhenAlone};
use baton_crds::membership::{Followed, MemberPhase, MemberRow, ReplicaId};
use baton_crds::status::HandoffOutcome;
use baton_wire::directory as wire;

use super::{Attendee, Known, Settled};
use crate::handoff::{Receipt, Stage};
use crate::index::{GroupKey, Listing};

/// The most bytes of any name, address or message that an agent may send.
const TEXT: usize = 1_024;

/// The most rows of a list that an agent may know: many times what one object can hold.
pub(super) const ROWS: usize = 10_000;

/// The most lists that one which an agent knows may come after: more than an operator writes down.
const FOLLOWED: usize = 64;

/// The highest number of a list that counts. The object's fields are signed; above this there is room for more lists than
/// an operator ever writes.
const NUMBER: u64 = i64::MAX as u64 - u32::MAX as u64;

/// What an agent sent makes no sense; nothing of it was taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Malformed {
    /// A required part is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A text or a list is too long.
    #[error("{0} is too long")]
    Long(&'static str),
    /// A list names one thing twice.
    #[error("{0} names a replica twice")]
    Twice(&'static str),
    /// A phase or outcome that this release does not know, or that cannot be reported.
    #[error("{0} cannot be reported")]
    Unspeakable(&'static str),
}

/// An agent's hello, checked.
#[derive(Debug)]
pub(super) struct Introduction {
    pub(super) key: GroupKey,
    pub(super) replica: ReplicaId,
    pub(super) release: String,
    pub(super) attendee: Attendee,
}

pub(super) fn introduction(hello: wire::Hello, arrival: u64, since: Instant) -> Result<Introduction, Malformed> {
    let phase = reported_phase(hello.phase())?;
    if hello.replica == 0 {
        return Err(Malformed::Missing("replica"));
    }
    let replica = ReplicaId(hello.replica);
    let rows = rows(hello.members)?;
    // An agent that is past Joining holds what it holds; one that leaves may never have held anything.
    let held = rows.iter().find(|row| row.replica == replica).is_none_or(|row| row.held_state);
    let held_in_phase = match phase {
        MemberPhase::Joining => false,
        MemberPhase::Active => true,
        MemberPhase::Leaving | MemberPhase::Gone => held,
    };
    let held_state = held_in_phase || hello.held_state;
    let known = hello.known.filter(|known| !known.uid.is_empty());
    let follows = follows(hello.follows)?;
    Ok(Introduction {
        key: GroupKey::new(text("namespace", hello.namespace)?, text("group", hello.group)?),
        replica,
        release: short("release", hello.release)?,
        attendee: Attendee {
            arrival,
            since,
            forwarded: false,
            pod_name: text("pod_name", hello.pod_name)?,
            pod_uid: text("pod_uid", hello.pod_uid)?,
            node: short("node", hello.node)?,
            address: text("address", hello.address)?,
            phase,
            held_state,
            keeper: hello.keeper,
            in_sync: false,
            keys: 0,
            bytes: 0,
            tombstones: 0,
            reached: Default::default(),
            says_whom_it_reaches: false,
            settled: Settled::default(),
            known: match known {
                Some(known) => {
                    let (uid, number) = (text("known.uid", known.uid)?, known.number.min(NUMBER));
                    Some(Known { uid, number, rows: rows.into(), follows })
                }
                None => None,
            },
        },
    })
}

/// The phase that an agent reports of itself. Gone is never one: an agent that has ended says nothing.
pub(super) fn reported_phase(phase: wire::Phase) -> Result<MemberPhase, Malformed> {
    match phase {
        wire::Phase::Joining => Ok(MemberPhase::Joining),
        wire::Phase::Active => Ok(MemberPhase::Active),
        wire::Phase::Leaving => Ok(MemberPhase::Leaving),
        wire::Phase::Gone | wire::Phase::Unspecified => Err(Malformed::Unspeakable("phase")),
    }
}

pub(super) fn settled(report: wire::Settled) -> Result<Settled, Malformed> {
    if report.replicas.len() > ROWS {
        return Err(Malformed::Long("settled"));
    }
    Ok(Settled { round: report.round, replicas: report.replicas.into_iter().map(ReplicaId).collect() })
}

pub(super) fn receipt(report: wire::HandoffReport) -> Result<Receipt, Malformed> {
    use wire::handoff_report::Stage as WireStage;
    let stage = match report.stage() {
        WireStage::Started => Stage::Started,
        WireStage::Hook => Stage::Hook,
        WireStage::Sealed => Stage::Sealed,
        WireStage::Unspecified => return Err(Malformed::Unspeakable("stage")),
    };
    let outcome = match report.outcome() {
        wire::Outcome::Acknowledged => HandoffOutcome::Acknowledged,
        wire::Outcome::Failed => HandoffOutcome::Failed,
        wire::Outcome::NothingToHandOff => HandoffOutcome::NothingToHandOff,
        wire::Outcome::Unspecified if stage == Stage::Started => HandoffOutcome::Unknown,
        wire::Outcome::Unspecified => return Err(Malformed::Unspeakable("outcome")),
    };
    if report.survivors.len() > ROWS {
        return Err(Malformed::Long("survivors"));
    }
    Ok(Receipt {
        replica: ReplicaId(report.replica),
        pod_name: text("pod_name", report.pod_name)?,
        pod_uid: text("pod_uid", report.pod_uid)?,
        stage,
        outcome,
        keys: report.keys,
        keys_unacknowledged: report.keys_unacknowledged,
        keys_unadopted: report.keys_unadopted,
        keys_unconfirmed: report.keys_unconfirmed,
        released: report.released,
        bytes: report.bytes,
        survivors: report.survivors,
        hold_millis: report.hold_millis,
        tail_millis: report.tail_millis,
        message: report.message.chars().take(TEXT).collect(),
    })
}

/// What an agent is told: the whole list, and what the group's spec wants of it.
pub(super) fn membership(listing: &Listing, spec: &HandoffGroupSpec) -> wire::Membership {
    wire::Membership {
        version: Some(wire::Version { uid: listing.uid.clone(), number: listing.spec.number }),
        members: listing.spec.members.iter().map(member).collect(),
        first: listing.spec.first.map_or(0, |id| id.0),
        settings: Some(settings(spec)),
        follows: listing.spec.follows.iter().map(followed).collect(),
    }
}

fn followed(followed: &Followed) -> wire::Version {
    wire::Version { uid: followed.uid.clone(), number: followed.number }
}

pub(super) fn settings(spec: &HandoffGroupSpec) -> wire::Settings {
    wire::Settings {
        handoff_acks: spec.handoff.acks,
        handoff_timeout_millis: u64::try_from(spec.handoff.timeout.get().as_millis()).unwrap_or(u64::MAX),
        default_write_acks: acks(spec.replication.acks).0,
        accept_when_alone: spec.replication.when_alone == WhenAlone::Accept,
        maps: spec.maps.iter().map(map).collect(),
        default_write_rule: acks(spec.replication.acks).1.into(),
        completion: match spec.handoff.completion {
            Completion::Replicated => wire::Completion::Unspecified,
            Completion::Adopted => wire::Completion::Adopted,
            Completion::Confirmed => wire::Completion::Confirmed,
        }
        .into(),
    }
}

fn map(map: &MapSpec) -> wire::MapSettings {
    let own = map.acks.map(acks);
    wire::MapSettings {
        name: map.name.clone(),
        max_bytes: map.max_bytes.unwrap_or_default(),
        max_entries: map.max_entries.unwrap_or_default(),
        max_value_bytes: map.max_value_bytes.unwrap_or_default(),
        on_departure: match map.on_departure {
            OnDeparture::Adopt => wire::OnDeparture::Unspecified,
            OnDeparture::Keep => wire::OnDeparture::Keep,
            OnDeparture::Release => wire::OnDeparture::Release,
        }
        .into(),
        write_acks: own.map(|(count, _)| count),
        write_rule: own.map_or(wire::AckRule::Unspecified, |(_, rule)| rule).into(),
    }
}

/// The number, for agents that know no rule, and the rule.
fn acks(acks: Acks) -> (u32, wire::AckRule) {
    match acks {
        Acks::Count(count) => (count, wire::AckRule::Unspecified),
        Acks::Majority => (1, wire::AckRule::Majority),
        Acks::All => (1, wire::AckRule::All),
    }
}

pub(super) fn member(row: &MemberRow) -> wire::Member {
    wire::Member {
        replica: row.replica.0,
        pod_name: row.pod_name.clone(),
        pod_uid: row.pod_uid.clone(),
        node: row.node.clone(),
        zone: row.zone.clone(),
        controller: row.controller.clone(),
        revision: row.revision,
        address: row.address.clone(),
        phase: match row.phase {
            MemberPhase::Joining => wire::Phase::Joining,
            MemberPhase::Active => wire::Phase::Active,
            MemberPhase::Leaving => wire::Phase::Leaving,
            MemberPhase::Gone => wire::Phase::Gone,
        }
        .into(),
        held_state: row.held_state,
        grace_seconds: row.grace_seconds,
        keeper: row.keeper,
    }
}

fn rows(members: Vec<wire::Member>) -> Result<Vec<MemberRow>, Malformed> {
    if members.len() > ROWS {
        return Err(Malformed::Long("members"));
    }
    let rows: Vec<MemberRow> = members.into_iter().map(row).collect::<Result<_, _>>()?;
    let ids: BTreeSet<ReplicaId> = rows.iter().map(|row| row.replica).collect();
    if ids.len() < rows.len() { Err(Malformed::Twice("members")) } else { Ok(rows) }
}

fn follows(versions: Vec<wire::Version>) -> Result<Vec<Followed>, Malformed> {
    if versions.len() > FOLLOWED {
        return Err(Malformed::Long("follows"));
    }
    let followed = |version: wire::Version| {
        Ok(Followed { uid: text("follows.uid", version.uid)?, number: version.number.min(NUMBER) })
    };
    versions.into_iter().map(followed).collect()
}

fn row(member: wire::Member) -> Result<MemberRow, Malformed> {
    let phase = match member.phase() {
        wire::Phase::Gone => MemberPhase::Gone,
        other => reported_phase(other)?,
    };
    if member.replica == 0 {
        return Err(Malformed::Missing("members.replica"));
    }
    Ok(MemberRow {
        replica: ReplicaId(member.replica),
        pod_name: text("pod_name", member.pod_name)?,
        pod_uid: text("pod_uid", member.pod_uid)?,
        node: short("node", member.node)?,
        zone: short("zone", member.zone)?,
        controller: short("controller", member.controller)?,
        // The object's fields are signed.
        revision: member.revision.min(i64::MAX as u64),
        address: short("address", member.address)?,
        phase,
        held_state: member.held_state,
        keeper: member.keeper,
        grace_seconds: member.grace_seconds.min(i64::MAX as u64),
        forgotten: false,
        settlement: None,
        unknown: BTreeMap::new(),
    })
}

fn text(name: &'static str, text: String) -> Result<String, Malformed> {
    if text.is_empty() {
        return Err(Malformed::Missing(name));
    }
    short(name, text)
}

fn short(name: &'static str, text: String) -> Result<String, Malformed> {
    if text.len() > TEXT {
        return Err(Malformed::Long(name));
    }
    Ok(text)
}
