//! The decision: given the Membership, the pods and the agents' reports, what is the next Membership?
//!
//! Everything here is a function of its arguments. Phases only go forward. A row becomes Gone only by proof, because its
//! own pod runs a newer agent, or because nobody has reached it for as long as the group's spec says; it is dropped only
//! when all others have settled it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use baton_crds::membership::{Followed, MemberPhase, MemberRow, ReplicaId};

use super::Verdict;
use super::first::{self, Grant, StartedEmpty};
use super::forget::{Unreached, forget};
use super::hearsay;
use super::retire::retire;
use crate::directory::Attendee;
use crate::index::{GroupView, Life, Standing};

/// All that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What the API server has told of the group.
    pub view: &'a GroupView,
    /// The agents with an open stream to this operator.
    pub attendees: &'a BTreeMap<ReplicaId, Attendee>,
    /// What live reads of pods have answered, by pod UID.
    pub verdicts: &'a BTreeMap<String, Verdict>,
    /// Since when no member with state has been reachable, as an earlier decision said.
    pub silence: Option<Instant>,
    /// Since when nobody has reached a member, as an earlier decision said.
    pub unreached: &'a Unreached,
    /// Now.
    pub now: Instant,
}

/// What follows from a situation.
#[derive(Debug, PartialEq)]
pub struct Decision {
    /// The next version of the list, if it must change.
    pub draft: Option<Draft>,
    /// The present list has all that was heard of others: that may be forgotten.
    pub merged: bool,
    /// Pods of which only a live read can say whether they still are.
    pub ask: Vec<PodRef>,
    /// Since when no member with state has been reachable; what the next decision is given.
    pub silence: Option<Instant>,
    /// Since when nobody has reached a member; what the next decision is given.
    pub unreached: Unreached,
    /// When to decide again even if nothing changes.
    pub again_in: Option<Duration>,
}

/// The next version of a Membership.
#[derive(Debug, PartialEq)]
pub struct Draft {
    /// Its number.
    pub number: u64,
    /// The replica that may start without state.
    pub first: Option<ReplicaId>,
    /// The members.
    pub members: Vec<MemberRow>,
    /// Lists of earlier objects that it comes after.
    pub follows: Vec<Followed>,
    /// Set if this version lets a replica start empty although members with state have not ended.
    pub started_empty: Option<StartedEmpty>,
}

/// A pod by name and UID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodRef {
    /// The name.
    pub name: String,
    /// The UID.
    pub uid: String,
}

/// Decides what the next Membership is.
pub fn decide(situation: Situation<'_>) -> Decision {
    let view = situation.view;
    let current = view.listing.as_deref();
    let mut rows = current.map(|listing| listing.spec.members.clone()).unwrap_or_default();
    let mut granted = current.and_then(|listing| listing.spec.first);

    let heard = hearsay::merge(&situation, &mut rows);
    granted = granted.or(heard.first);
    enrol(&situation, &mut rows);
    let ask = follow_pods(&situation, &mut rows);
    let forgetting = forget(&situation, &mut rows);
    if let Some(listing) = current
        && first::unheard(&situation, &rows).is_empty()
    {
        retire(&listing.uid, situation.attendees, &mut rows);
    }
    let Grant { first, silence, again_in, started_empty } = first::grant(&situation, &rows, granted);

    let unchanged = match current {
        Some(listing) => {
            listing.spec.members == rows
                && listing.spec.first == first
                && listing.spec.number >= heard.number
                && listing.spec.follows == heard.follows
                && listing.owner.as_ref() == Some(&view.group.uid)
        }
        None => rows.is_empty(),
    };
    let number = current.map_or(0, |listing| listing.spec.number).max(heard.number) + 1;
    let draft = (!unchanged && !view.group.deleting).then_some({
        let follows = heard.follows;
        Draft { number, first, members: rows, follows, started_empty }
    });
    let again_in = again_in.into_iter().chain(forgetting.again_in).min();
    let merged = unchanged && current.is_some();
    Decision { draft, merged, ask, silence, unreached: forgetting.unreached, again_in }
}

/// Takes what the agents say of themselves: a hello makes a row, and ends the earlier rows of its pod.
fn enrol(situation: &Situation<'_>, rows: &mut Vec<MemberRow>) {
    let mut attendees: Vec<_> = situation.attendees.iter().collect();
    attendees.sort_by_key(|(_, attendee)| attendee.order());
    for (&replica, attendee) in attendees {
        let removed = situation.view.listing.as_deref().is_some_and(|listing| attendee.was_removed(replica, listing));
        if removed {
            continue;
        }
        if !rows.iter().any(|row| row.replica == replica) {
            rows.push(attendee.row(replica));
        }
        let Some(row) = rows.iter_mut().find(|row| row.replica == replica) else { continue };
        if row.phase == MemberPhase::Gone {
            continue;
        }
        row.phase = row.phase.max(attendee.phase);
        row.held_state |= attendee.held_state;
        row.address.clone_from(&attendee.address);
        // A stream of the pod's earlier agent may linger.
        let later = |id| situation.attendees.get(&id).is_some_and(|other| other.order() > attendee.order());
        let siblings = rows.iter_mut().filter(|row| row.pod_uid == attendee.pod_uid && row.replica != replica);
        for earlier in siblings.filter(|row| !later(row.replica)) {
            (earlier.phase, earlier.forgotten) = (MemberPhase::Gone, false);
        }
    }
}

/// Takes what the API server says of the pods, and finds those that need a live read.
fn follow_pods(situation: &Situation<'_>, rows: &mut [MemberRow]) -> Vec<PodRef> {
    let mut ask = Vec::new();
    for row in rows.iter_mut().filter(|row| row.phase == MemberPhase::Gone && row.forgotten) {
        let there = situation.view.pod(&row.pod_name, &row.pod_uid).is_some_and(|pod| pod.facts.life != Life::Finished);
        row.forgotten = there || situation.verdicts.get(&row.pod_uid) != Some(&Verdict::Ended);
        if row.forgotten && !there {
            ask.push(PodRef { name: row.pod_name.clone(), uid: row.pod_uid.clone() });
        }
    }
    for row in rows.iter_mut().filter(|row| row.phase != MemberPhase::Gone) {
        let pod = situation.view.pod(&row.pod_name, &row.pod_uid);
        if let Some(pod) = pod {
            fill(&mut row.node, &pod.facts.node);
            fill(&mut row.zone, &pod.facts.zone);
            fill(&mut row.controller, &pod.controller);
            row.keeper = match pod.standing {
                Standing::Keeper => true,
                Standing::Selected => false,
                Standing::Stray => row.keeper,
            };
            row.revision = if pod.revision == 0 { row.revision } else { pod.revision };
        }
        match pod.map(|pod| (pod.facts.life, pod.standing)) {
            Some((Life::Running, Standing::Selected | Standing::Keeper)) => {}
            Some((Life::Running, Standing::Stray)) => leave(row, 0),
            Some((Life::Terminating { grace_seconds }, _)) => leave(row, grace_seconds),
            Some((Life::Finished, _)) | None => {
                match situation.verdicts.get(&row.pod_uid) {
                    Some(Verdict::Ended) => row.phase = MemberPhase::Gone,
                    Some(Verdict::Terminating { grace_seconds }) => leave(row, *grace_seconds),
                    Some(Verdict::Running) | None => {}
                }
                if row.phase != MemberPhase::Gone {
                    ask.push(PodRef { name: row.pod_name.clone(), uid: row.pod_uid.clone() });
                }
            }
        }
    }
    ask
}

fn leave(row: &mut MemberRow, grace_seconds: u64) {
    row.phase = row.phase.max(MemberPhase::Leaving);
    row.grace_seconds = grace_seconds;
}

fn fill(field: &mut String, known: &str) {
    if !known.is_empty() && field != known {
        known.clone_into(field);
    }
}
