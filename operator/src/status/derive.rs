//! The status of a group, as a function of what is known of it.

use std::collections::BTreeMap;

use baton_crds::HandoffGroupStatus;
use baton_crds::membership::{MemberPhase, MemberRow, ReplicaId};
use k8s_openapi::jiff::Timestamp;

use super::condition::{Kind, Reason, State, Verdict};
use super::{Newest, safety, trouble, workload};
use crate::directory::Attendee;
use crate::index::{Agent, GroupView, Life, OptIn, PodView, Standing};
use crate::membership::StartedEmpty;

/// How many pods a message names.
const NAMED: usize = 3;

/// All that a status depends on.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// What the API server has told of the group.
    pub view: &'a GroupView,
    /// The agents with an open stream to this operator.
    pub attendees: &'a BTreeMap<ReplicaId, Attendee>,
    /// What was last said of the group.
    pub before: &'a HandoffGroupStatus,
    /// The newest handoffs that have ended.
    pub newest: &'a Newest,
    /// Set when a replica was let start empty since the last status.
    pub started_empty: Option<&'a StartedEmpty>,
    /// Now.
    pub now: Timestamp,
}

/// Derives the status of a group.
pub fn derive(observation: Observation<'_>) -> HandoffGroupStatus {
    let Observation { view, attendees, before, newest, now, .. } = observation;
    let present = present(view);
    let active = of_phase(&present, MemberPhase::Active);
    let synced = active.iter().filter(|row| attendees.get(&row.replica).is_some_and(|one| one.in_sync));
    let workloads = workload::workloads(view, &present, &before.workloads);
    let conditions = [
        ready(view, &active),
        in_sync(&active, attendees),
        safety::handoff_safe(view, &active),
        drained(&present, &workload::under_way(view, &workloads)),
        trouble::degraded(observation),
    ];
    let generation = view.group.generation;
    HandoffGroupStatus {
        observed_generation: Some(generation),
        members: count(present.len()),
        keepers: count(active.iter().filter(|row| row.keeper).count()),
        in_sync: count(synced.count()),
        draining: count(of_phase(&present, MemberPhase::Leaving).len()),
        keys: largest(attendees.values().map(|one| one.keys)),
        bytes: largest(attendees.values().map(|one| one.bytes)),
        last_handoff: newest.any.clone(),
        last_unsuccessful_handoff: newest.unsuccessful.clone(),
        workloads,
        conditions: conditions.into_iter().map(|one| one.dated(&before.conditions, generation, now)).collect(),
    }
}

/// The selected pods that should have an agent and have none that works. Pods that refuse one by their own
/// label are not among them, nor those that have ended.
pub(super) fn unprotected(view: &GroupView) -> Vec<&PodView> {
    let counts = |pod: &&PodView| {
        pod.standing == Standing::Selected
            && !matches!(pod.facts.agent, Agent::Present { .. })
            && pod.facts.opt_in() != OptIn::Disabled
            && pod.facts.life == Life::Running
    };
    view.pods.values().filter(counts).collect()
}

/// The rows of a group that have not ended.
pub(super) fn present(view: &GroupView) -> Vec<&MemberRow> {
    view.listing.iter().flat_map(|listing| listing.present()).collect()
}

/// Names a few pods, and how many more there are.
pub(super) fn names<'a>(pods: impl IntoIterator<Item = &'a str>) -> String {
    let pods: Vec<&str> = pods.into_iter().collect();
    let listed = pods.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match pods.len().checked_sub(NAMED) {
        Some(more) if more > 0 => format!("{listed} and {more} more"),
        _ => listed,
    }
}

fn ready(view: &GroupView, active: &[&MemberRow]) -> Verdict {
    let no = |reason, message| Verdict { kind: Kind::Ready, state: State::False, reason, message };
    if let Some(defect) = view.group.spec.selector.defect() {
        return no(Reason::InvalidSelector, format!("No pod can be selected: {defect}."));
    }
    if !view.conflicts.is_empty() {
        let pods = names(view.conflicts.keys().map(String::as_str));
        let winners = names(view.conflicts.values().map(String::as_str).collect::<std::collections::BTreeSet<_>>());
        return no(
            Reason::GroupConflict,
            format!("Pods that this group selects belong to another HandoffGroup ({winners}): {pods}."),
        );
    }
    let yes = |reason, message| Verdict { kind: Kind::Ready, state: State::True, reason, message };
    let (keepers, apps): (Vec<&MemberRow>, Vec<&MemberRow>) = active.iter().copied().partition(|row| row.keeper);
    if !view.pods.values().any(|pod| pod.standing == Standing::Selected && pod.facts.life != Life::Finished) {
        if keepers.is_empty() {
            return no(Reason::NoPodsSelected, "The selector matches no pod of this namespace.".into());
        }
        let kept = safety::keepers(keepers.len());
        return yes(
            Reason::KeepersOnly,
            format!("The selector matches no pod of this namespace now; {kept} Active and hold the state."),
        );
    }
    let unprotected = unprotected(view);
    if !unprotected.is_empty() {
        let pods = names(unprotected.iter().map(|pod| pod.facts.name.as_str()));
        return no(
            Reason::AgentNotInjected,
            format!("Selected pods run without a working agent, so their state is not protected: {pods}."),
        );
    }
    if apps.is_empty() {
        return no(Reason::MembersStarting, "No member with an app is Active yet.".into());
    }
    let message = match keepers.len() {
        0 => format!("{} Active.", members(active.len())),
        count => format!("{} Active; {} among them.", members(active.len()), safety::keepers(count)),
    };
    yes(Reason::MembersReady, message)
}

fn in_sync(active: &[&MemberRow], attendees: &BTreeMap<ReplicaId, Attendee>) -> Verdict {
    let verdict = |state, reason, message| Verdict { kind: Kind::InSync, state, reason, message };
    if active.is_empty() {
        return verdict(State::Unknown, Reason::NoMembers, "No member is Active.".into());
    }
    let unheard: Vec<_> = active.iter().filter(|row| !attendees.contains_key(&row.replica)).collect();
    if !unheard.is_empty() {
        let pods = names(unheard.iter().map(|row| row.pod_name.as_str()));
        return verdict(
            State::False,
            Reason::MembersUnheard,
            format!("Agents have no stream to the operator: {pods}."),
        );
    }
    let behind: Vec<_> =
        active.iter().filter(|row| attendees.get(&row.replica).is_some_and(|one| !one.in_sync)).collect();
    if !behind.is_empty() {
        let pods = names(behind.iter().map(|row| row.pod_name.as_str()));
        return verdict(
            State::False,
            Reason::MembersCatchingUp,
            format!("Agents have not applied all that their peers have: {pods}."),
        );
    }
    if let Some((one, other)) = parted(active, attendees) {
        let message = format!("The agents of {} and {} do not reach each other.", one.pod_name, other.pod_name);
        return verdict(State::False, Reason::MembersParted, message);
    }
    verdict(State::True, Reason::AllInSync, format!("{} in sync.", members(active.len())))
}

/// Two members of which one says that it has no link to the other: neither knows what it lacks.
fn parted<'a>(
    active: &[&'a MemberRow],
    attendees: &BTreeMap<ReplicaId, Attendee>,
) -> Option<(&'a MemberRow, &'a MemberRow)> {
    let lacks = |one: &MemberRow, other: &MemberRow| {
        let attendee = attendees.get(&one.replica).filter(|attendee| attendee.says_whom_it_reaches);
        one.replica != other.replica && attendee.is_some_and(|attendee| !attendee.reached.contains(&other.replica))
    };
    active.iter().find_map(|one| Some((*one, *active.iter().find(|other| lacks(one, other))?)))
}

fn drained(present: &[&MemberRow], under_way: &[String]) -> Verdict {
    let verdict = |state, reason, message| Verdict { kind: Kind::Drained, state, reason, message };
    let leaving = of_phase(present, MemberPhase::Leaving);
    if !leaving.is_empty() {
        let pods = names(leaving.iter().map(|row| row.pod_name.as_str()));
        let message = format!("Pods are handing off or have not ended yet: {pods}.");
        return verdict(State::False, Reason::MembersLeaving, message);
    }
    if !under_way.is_empty() {
        let workloads = names(under_way.iter().map(String::as_str));
        let message = format!("Not all pods are there, or some are of an older revision: {workloads}.");
        return verdict(State::False, Reason::RolloutUnderWay, message);
    }
    verdict(State::True, Reason::NobodyLeaving, "No member is leaving, and every rollout is over.".into())
}

fn of_phase<'a>(rows: &[&'a MemberRow], phase: MemberPhase) -> Vec<&'a MemberRow> {
    rows.iter().filter(|row| row.phase == phase).copied().collect()
}

fn members(count: usize) -> String {
    if count == 1 { "1 member is".into() } else { format!("{count} members are") }
}

fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn largest(values: impl Iterator<Item = u64>) -> i64 {
    i64::try_from(values.max().unwrap_or_default()).unwrap_or(i64::MAX)
}
