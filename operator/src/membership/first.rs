//! The grant to start empty. It goes to one replica, and only when nobody may hold the group's state.

use std::time::{Duration, Instant};

use baton_crds::membership::{MemberPhase, MemberRow, ReplicaId};

use super::Situation;
use crate::index::{Agent, Life};

/// How long a joining agent has at least to find members that the operator does not reach.
const PROBATION: Duration = Duration::from_secs(10);

/// A replica was let start empty although members that may hold state have not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartedEmpty {
    /// The pod that starts empty.
    pub pod: String,
    /// The pods whose state could not be reached.
    pub unreachable: Vec<String>,
}

/// What follows for the grant.
#[derive(Debug, Default)]
pub(super) struct Grant {
    pub(super) first: Option<ReplicaId>,
    pub(super) silence: Silence,
    pub(super) again_in: Option<Duration>,
    pub(super) started_empty: Option<StartedEmpty>,
}

/// Since when nobody who may hold state has been reachable.
pub(super) type Silence = Option<Instant>;

/// Decides who may start empty.
pub(super) fn grant(situation: &Situation<'_>, rows: &[MemberRow], granted: Option<ReplicaId>) -> Grant {
    let present = |id: ReplicaId| rows.iter().any(|row| row.replica == id && row.phase != MemberPhase::Gone);
    let first = granted.filter(|id| present(*id));
    // A grantee may have become Active without having said so yet.
    let holders: Vec<&MemberRow> = rows
        .iter()
        .filter(|row| row.phase != MemberPhase::Gone && (row.held_state || first == Some(row.replica)))
        .collect();
    let unheard = unheard(situation, rows);

    if holders.is_empty() && unheard.is_empty() {
        return Grant { first: candidate(situation, rows, granted), ..Grant::default() };
    }
    if holders.iter().any(|row| reachable(situation, row)) {
        return Grant { first, ..Grant::default() };
    }
    let since = situation.silence.unwrap_or(situation.now);
    let patience = situation.view.group.spec.membership.start_empty_after.get();
    let candidate = candidate(situation, rows, first);
    let Some((next, attendee)) = candidate.and_then(|id| Some((id, situation.attendees.get(&id)?))) else {
        return Grant { first, silence: Some(since), ..Grant::default() };
    };
    let due = (since + patience).max(attendee.since + patience.min(PROBATION));
    let wait = due.saturating_duration_since(situation.now);
    if !wait.is_zero() {
        return Grant { first, silence: Some(since), again_in: Some(wait), ..Grant::default() };
    }
    let unreachable = holders.iter().map(|row| row.pod_name.clone()).chain(unheard).collect();
    let pod = rows.iter().find(|row| row.replica == next).map(|row| row.pod_name.clone()).unwrap_or_default();
    // The new grantee has a stream, so the silence is over.
    Grant { first: Some(next), started_empty: Some(StartedEmpty { pod, unreachable }), ..Grant::default() }
}

/// Pods whose agent has started, so may hold state, and that no row names: the list was lost, and they
/// have not said hello since.
pub(super) fn unheard(situation: &Situation<'_>, rows: &[MemberRow]) -> Vec<String> {
    let listed = |uid: &str| rows.iter().any(|row| row.pod_uid == uid);
    let started = |agent: &Agent| matches!(agent, Agent::Present { started: true, .. });
    let pods = situation.view.pods.values().map(|pod| &pod.facts);
    pods.filter(|pod| pod.life != Life::Finished && started(&pod.agent) && !listed(&pod.uid))
        .map(|pod| pod.name.clone())
        .collect()
}

/// The replica to be granted: Joining, listening, of a pod that stays; another pod's than the earlier
/// grantee's if there is one, and the earliest in the list.
fn candidate(situation: &Situation<'_>, rows: &[MemberRow], earlier: Option<ReplicaId>) -> Option<ReplicaId> {
    let failed = earlier.and_then(|id| rows.iter().find(|row| row.replica == id)).map(|row| row.pod_uid.as_str());
    let mut waiting = rows
        .iter()
        .filter(|row| row.phase == MemberPhase::Joining && situation.attendees.contains_key(&row.replica))
        .filter(|row| Some(row.replica) != earlier);
    let fallback = waiting.clone().next();
    waiting.find(|row| Some(row.pod_uid.as_str()) != failed).or(fallback).map(|row| row.replica)
}

/// Whether a member is reached by a stream to this operator, or by a joining agent.
fn reachable(situation: &Situation<'_>, row: &MemberRow) -> bool {
    let mut joining = situation.attendees.values().filter(|attendee| attendee.phase == MemberPhase::Joining);
    situation.attendees.contains_key(&row.replica) || joining.any(|attendee| attendee.reached.contains(&row.replica))
}
