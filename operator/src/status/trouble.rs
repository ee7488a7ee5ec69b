//! The condition `Degraded`: what went wrong, and for how long that is said.

use baton_crds::membership::{MemberRow, ReplicaId};
use baton_crds::status::HandoffOutcome;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::SignedDuration;

use super::condition::{Kind, Reason, State, Verdict};
use super::derive::{names, present};
use super::{Newest, Observation};
use crate::index::GroupView;
use crate::membership::ListSize;

/// How long a handoff without success is shown at least, even if later ones succeed: a rollout would
/// otherwise hide it within seconds.
const SHOWN: SignedDuration = SignedDuration::from_mins(10);

/// Decides on `Degraded`. What was said before is kept until it is over, also by an operator that has just
/// started.
pub(super) fn degraded(observation: Observation<'_>) -> Verdict {
    let before = Kind::Degraded.of(&observation.before.conditions).filter(|one| one.status == "True");
    let verdict = |reason, message| Verdict { kind: Kind::Degraded, state: State::True, reason, message };
    if let Some(message) = unreachable(observation, before) {
        return verdict(Reason::StateUnreachable, message);
    }
    if let Some(message) = too_large(observation.view) {
        return verdict(Reason::ListTooLarge, message);
    }
    let removed = names(forgotten(observation.view).map(|row| row.pod_name.as_str()));
    if !removed.is_empty() {
        let message = format!("Members were removed because nobody reached them, and have not come back: {removed}.");
        return verdict(Reason::MemberForgotten, message);
    }
    if let Some((reason, message)) = handoff(observation) {
        return verdict(reason, message);
    }
    let message = "Every handoff so far ended well, and all state can be reached.".into();
    Verdict { kind: Kind::Degraded, state: State::False, reason: Reason::AsExpected, message }
}

/// The members that were removed although their pods are there.
pub(super) fn forgotten(view: &GroupView) -> impl Iterator<Item = &MemberRow> {
    let rows = view.listing.iter().flat_map(|listing| &listing.spec.members);
    rows.filter(|row| row.forgotten && view.pod(&row.pod_name, &row.pod_uid).is_some())
}

/// Holds while so many are listed that a change of the list may soon be none that can be written.
fn too_large(view: &GroupView) -> Option<String> {
    let listing = view.listing.as_ref()?;
    let size = ListSize::of(&listing.spec);
    let (all, present) = (listing.spec.members.len(), listing.present().count());
    size.is_too_great().then(|| {
        format!(
            "The list of members takes {size} that an object may have, with {present} members and {} that are gone: when it does not fit any more, new pods wait and nobody is told who leaves.",
            all - present
        )
    })
}

/// Holds from the moment when a replica was let start empty until every other member that may hold state
/// is heard again or has ended.
fn unreachable(observation: Observation<'_>, before: Option<&Condition>) -> Option<String> {
    if let Some(what) = observation.started_empty {
        let pods = names(what.unreachable.iter().map(String::as_str));
        return Some(format!(
            "All members with state were unreachable ({pods}), so {} started empty. Their state is joined when they come back.",
            what.pod
        ));
    }
    let before = before.filter(|one| one.reason == Reason::StateUnreachable.as_str())?;
    let heard = |id: &ReplicaId| observation.attendees.contains_key(id);
    let lost = present(observation.view).into_iter().any(|row| row.held_state && !heard(&row.replica));
    lost.then(|| before.message.clone())
}

/// Holds from a handoff without success until a later one succeeds, and at least for a while.
fn handoff(observation: Observation<'_>) -> Option<(Reason, String)> {
    let Newest { any, unsuccessful } = observation.newest;
    let handoff = unsuccessful.as_ref()?;
    let is_last = any.as_ref() == Some(handoff);
    if !is_last && observation.now.duration_since(handoff.at.0) >= SHOWN {
        return None;
    }
    let is_unknown = handoff.outcome == HandoffOutcome::Unknown;
    let reason = if is_unknown { Reason::HandoffUnknown } else { Reason::HandoffFailed };
    Some((reason, handoff.message.clone()))
}
