//! The condition `HandoffSafe`: whether a member that leaves now finds enough others to hand off to.

use std::collections::BTreeSet;
use std::sync::Arc;

use baton_crds::membership::MemberRow;

use super::condition::{Kind, Reason, State, Verdict};
use super::derive::names;
use crate::index::{GroupView, WorkloadFacts};

/// Decides on `HandoffSafe`.
pub(super) fn handoff_safe(view: &GroupView, active: &[&MemberRow]) -> Verdict {
    let verdict = |state, reason, message| Verdict { kind: Kind::HandoffSafe, state, reason, message };
    if let Some(workloads) = scaled_to_zero(view, active) {
        let message = format!("Scaled to 0 without keepers, so that the state ends with the last pod: {workloads}.");
        return verdict(State::False, Reason::ScaledToZero, message);
    }
    if active.is_empty() {
        return verdict(State::Unknown, Reason::NoMembers, "No member is Active.".into());
    }
    let wanted = view.group.spec.handoff.acks as usize;
    let kept = active.iter().filter(|row| row.keeper).count();
    // One of them may leave, too.
    if kept > wanted {
        let message = format!(
            "{} Active and hold the state, also while no other pod does; a pod that leaves needs {wanted} of them.",
            keepers(kept)
        );
        return verdict(State::True, Reason::KeepersAvailable, message);
    }
    if let Some(workload) = without_overlap(view, active) {
        let others = match kept {
            0 => "no other pod of the group holds the state".to_owned(),
            few => format!("{} not enough: {} are", keepers(few), wanted + 1),
        };
        let message =
            format!("{workload} ends all its pods before it starts new ones, and {others}: a rollout loses it.");
        return verdict(State::False, Reason::NoOverlap, message);
    }
    // One that is there for the time of a rollout only stays for nobody.
    let others = active.len().min(asked_for(view, active)).saturating_sub(1);
    if others < wanted {
        let message = format!(
            "A pod that leaves needs {wanted} other Active members that stay and has {others}: it is held until a replacement has the state, and fails if none has in time."
        );
        return verdict(State::False, Reason::TooFewMembers, message);
    }
    let message = format!("A pod that leaves has {others} other Active members, and needs {wanted}.");
    verdict(State::True, Reason::SurvivorsAvailable, message)
}

/// So many keepers are.
pub(super) fn keepers(count: usize) -> String {
    if count == 1 { "1 keeper is".into() } else { format!("{count} keepers are") }
}

/// The workloads of a group that asks for no pod at all, nor for keepers.
fn scaled_to_zero(view: &GroupView, active: &[&MemberRow]) -> Option<String> {
    let is_kept = view.group.spec.keepers.replicas > 0 || active.iter().any(|row| row.keeper);
    // How many pods a DaemonSet has is not asked for: its controller says so, once it has seen it.
    let is_scaled = |workload: &Arc<WorkloadFacts>| workload.kind != "DaemonSet";
    let none = !view.workloads.is_empty() && view.workloads.values().all(is_scaled) && asked_for(view, active) == 0;
    (none && !is_kept).then(|| names(view.workloads.keys().map(String::as_str)))
}

/// How many members shall be there, those included that no known workload makes.
fn asked_for(view: &GroupView, active: &[&MemberRow]) -> usize {
    let made: i64 = view.workloads.values().map(|workload| workload.replicas).sum();
    let others = active.iter().filter(|row| !view.workloads.contains_key(&row.controller)).count();
    usize::try_from(made).unwrap_or_default().saturating_add(others)
}

/// The workload that all Active members with an app belong to, if its pods do not overlap in a rollout.
fn without_overlap(view: &GroupView, active: &[&MemberRow]) -> Option<String> {
    let apps = active.iter().filter(|row| !row.keeper);
    let controllers: BTreeSet<&str> = apps.map(|row| row.controller.as_str()).collect();
    let only = controllers.first().filter(|_| controllers.len() == 1)?;
    let workload = view.workloads.get(*only)?;
    (!workload.overlaps).then(|| only.to_string())
}

#[cfg(test)]
mod tests {
    use baton_crds::membership::MemberPhase::Active;

    use super::*;
    use crate::fixture::{row, view};
    use crate::index::Revision;

    fn says(view: &GroupView, rows: &[MemberRow]) -> (State, Reason) {
        let verdict = handoff_safe(view, &rows.iter().collect::<Vec<_>>());
        assert!(verdict.message.ends_with('.'), "{}", verdict.message);
        (verdict.state, verdict.reason)
    }

    fn recreated() -> GroupView {
        made_by(2, false)
    }

    /// The group of a Deployment that asks for so many pods.
    fn made_by(replicas: i64, overlaps: bool) -> GroupView {
        let mut view = view(&[]);
        let workload = WorkloadFacts {
            kind: "Deployment",
            name: "web".into(),
            uid: "uid-web".into(),
            group: None,
            labels: Default::default(),
            generation: 1,
            replicas,
            revision: Revision::Number(1),
            is_rolled_out: true,
            overlaps,
        };
        view.workloads.insert(workload.key(), Arc::new(workload));
        view
    }

    #[test]
    fn a_handoff_is_safe_with_as_many_others_as_it_asks_for() {
        let mut view = view(&[]);
        let rows = [row(1, "a", Active), row(2, "b", Active)];
        assert_eq!(says(&view, &rows), (State::True, Reason::SurvivorsAvailable));
        assert_eq!(says(&view, &rows[..1]), (State::False, Reason::TooFewMembers));
        assert_eq!(says(&view, &[]), (State::Unknown, Reason::NoMembers));
        let mut group = (*view.group).clone();
        group.spec.handoff.acks = 2;
        view.group = Arc::new(group);
        assert_eq!(says(&view, &rows), (State::False, Reason::TooFewMembers));
    }

    #[test]
    fn an_app_that_is_scaled_to_zero_is_unsafe_before_its_pods_have_ended_and_while_nobody_holds_the_state() {
        let rows = [row(1, "a", Active), row(2, "b", Active)];
        let mut zero = made_by(0, true);
        assert_eq!(says(&zero, &rows), (State::False, Reason::ScaledToZero));
        assert_eq!(says(&zero, &[]), (State::False, Reason::ScaledToZero));
        let other = MemberRow { controller: "Job/import".into(), ..row(3, "c", Active) };
        let with_other = [rows.as_slice(), std::slice::from_ref(&other)].concat();
        assert_eq!(says(&zero, &with_other), (State::False, Reason::TooFewMembers), "it stays, and is one");
        zero.workloads.extend(made_by(2, true).workloads.into_values().map(|web| ("Deployment/other".into(), web)));
        assert_eq!(says(&zero, &with_other), (State::True, Reason::SurvivorsAvailable));

        let mut new = made_by(0, true);
        new.workloads.values_mut().for_each(|web| Arc::make_mut(web).kind = "DaemonSet");
        assert_eq!(says(&new, &[]), (State::Unknown, Reason::NoMembers), "its controller has not seen it");
        let mut kept = made_by(0, true);
        Arc::make_mut(&mut kept.group).spec.keepers.replicas = 2;
        assert_eq!(says(&kept, &[]), (State::Unknown, Reason::NoMembers), "they are on their way");
        Arc::make_mut(&mut kept.group).spec.keepers.replicas = 1;
        let keeper = MemberRow { controller: "StatefulSet/web-keeper".into(), keeper: true, ..row(4, "k-0", Active) };
        let last = [&rows[..], &[keeper]].concat();
        assert_eq!(says(&kept, &last), (State::False, Reason::TooFewMembers), "one that leaves finds no other");
    }

    #[test]
    fn the_only_pod_is_unsafe_also_while_its_replacement_is_there() {
        let surged = [row(1, "a", Active), row(2, "b", Active)];
        assert_eq!(says(&made_by(1, true), &surged), (State::False, Reason::TooFewMembers));
        assert_eq!(says(&made_by(2, true), &surged), (State::True, Reason::SurvivorsAvailable));
        let bare = MemberRow { controller: String::new(), ..row(3, "c", Active) };
        assert_eq!(says(&made_by(1, true), &[surged[1].clone(), bare]), (State::True, Reason::SurvivorsAvailable));
    }

    #[test]
    fn pods_that_never_overlap_need_two_keepers_or_another_workload() {
        let app = |replica, pod| row(replica, pod, Active);
        let keeper = |replica, pod| MemberRow {
            controller: "StatefulSet/web-keeper".into(),
            keeper: true,
            ..row(replica, pod, Active)
        };
        let mut rows = vec![app(1, "a"), app(2, "b")];
        assert_eq!(says(&recreated(), &rows), (State::False, Reason::NoOverlap));
        let other = MemberRow { controller: "Deployment/other".into(), ..app(3, "c") };
        let with_other = [rows.clone(), vec![other]].concat();
        assert_eq!(says(&recreated(), &with_other), (State::True, Reason::SurvivorsAvailable));
        rows.push(keeper(4, "k-0"));
        assert_eq!(says(&recreated(), &rows), (State::False, Reason::NoOverlap), "a keeper may leave, too");
        rows.push(keeper(5, "k-1"));
        assert_eq!(says(&recreated(), &rows), (State::True, Reason::KeepersAvailable));
        assert_eq!(says(&recreated(), &rows[2..]), (State::True, Reason::KeepersAvailable), "scaled to zero");
        assert_eq!(says(&recreated(), &rows[2..3]), (State::False, Reason::TooFewMembers));
        let mut twofold = recreated();
        let mut group = (*twofold.group).clone();
        group.spec.handoff.acks = 2;
        twofold.group = Arc::new(group);
        assert_eq!(says(&twofold, &rows), (State::False, Reason::NoOverlap), "of two, one cannot hand off to two");
    }
}
