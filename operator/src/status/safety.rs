//! The condition `HandoffSafe`: whether a member that leaves now finds enough others to hand off to.

use std::collections::BTreeSet;

use baton_crds::membership::MemberRow;

use super::condition::{Kind, Reason, State, Verdict};
use crate::index::GroupView;

/// Decides on `HandoffSafe`.
pub(super) fn handoff_safe(view: &GroupView, active: &[&MemberRow]) -> Verdict {
    let verdict = |state, reason, message| Verdict { kind: Kind::HandoffSafe, state, reason, message };
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
    let others = active.len() - 1;
    if others < wanted {
        let message = format!(
            "A pod that leaves needs {wanted} other Active members and has {others}: it is held until a replacement has the state, and fails if none has in time."
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
    use std::sync::Arc;

    use baton_crds::membership::MemberPhase::Active;

    use super::*;
    use crate::fixture::{row, view};
    use crate::index::{Revision, WorkloadFacts};

    fn says(view: &GroupView, rows: &[MemberRow]) -> (State, Reason) {
        let verdict = handoff_safe(view, &rows.iter().collect::<Vec<_>>());
        assert!(verdict.message.ends_with('.'), "{}", verdict.message);
        (verdict.state, verdict.reason)
    }

    fn recreated() -> GroupView {
        let mut view = view(&[]);
        let workload = WorkloadFacts {
            kind: "Deployment",
            name: "web".into(),
            uid: "uid-web".into(),
            group: None,
            labels: Default::default(),
            generation: 1,
            replicas: 2,
            revision: Revision::Number(1),
            is_rolled_out: true,
            overlaps: false,
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
