//! Which generation of each workload is really over: all its pods are of that generation's revision, and nobody who ran
//! before is left.
//!
//! A Deployment does not say so: its rollout is complete for it while the last old pods are still terminating.

use baton_crds::membership::{MemberPhase, MemberRow};
use baton_crds::status::WorkloadStatus;

use crate::index::{GroupView, Life, PodView, WorkloadFacts};

/// How many workloads a status names: a group has one or two.
const NAMED: usize = 32;

/// What is said of the group's workloads. `before` is what was said last.
pub(super) fn workloads(view: &GroupView, present: &[&MemberRow], before: &[WorkloadStatus]) -> Vec<WorkloadStatus> {
    let of = |(key, workload): (&String, &std::sync::Arc<WorkloadFacts>)| {
        let known = before.iter().find(|one| one.kind == workload.kind && one.name == workload.name);
        let drained = is_drained(view, present, key, workload).then_some(workload.generation);
        // One that was deleted and made again counts anew.
        let last = known.and_then(|one| one.drained_generation).filter(|last| *last <= workload.generation);
        WorkloadStatus { kind: workload.kind.into(), name: workload.name.clone(), drained_generation: drained.or(last) }
    };
    view.workloads.iter().take(NAMED).map(of).collect()
}

/// The workloads whose newest generation is not over, as `Kind/name`.
pub(super) fn under_way(view: &GroupView, said: &[WorkloadStatus]) -> Vec<String> {
    let is_over = |one: &&WorkloadStatus| {
        let facts = view.workloads.get(&format!("{}/{}", one.kind, one.name));
        facts.is_none_or(|facts| one.drained_generation == Some(facts.generation))
    };
    said.iter().filter(|one| !is_over(one)).map(|one| format!("{}/{}", one.kind, one.name)).collect()
}

fn is_drained(view: &GroupView, present: &[&MemberRow], key: &str, workload: &WorkloadFacts) -> bool {
    let pods: Vec<&PodView> = view.pods.values().filter(|pod| pod.controller == key).collect();
    let living = || pods.iter().filter(|pod| pod.facts.life != Life::Finished);
    let settled = |pod: &&&PodView| pod.facts.life == Life::Running && workload.is_newest(pod);
    // What the operator has seen of pods may be behind what it has seen of the workload, and the other way round.
    let all_there = living().filter(settled).count() as i64 >= workload.replicas && living().all(|pod| settled(&pod));
    let mut members = present.iter().filter(|row| row.controller == key);
    let stays = |row: &&MemberRow| {
        row.phase != MemberPhase::Leaving && view.pod(&row.pod_name, &row.pod_uid).is_some_and(|pod| settled(&&pod))
    };
    workload.is_rolled_out && all_there && members.all(stays)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use baton_crds::membership::MemberPhase::{Active, Gone, Leaving};

    use super::*;
    use crate::fixture::{listing, pod, row, view};
    use crate::index::{PodFacts, Revision};
    use crate::status::derive::present;

    /// The Deployment `web` of two pods, whose generation 5 made the revision 1 that the fixtures' pods are of.
    fn web() -> WorkloadFacts {
        WorkloadFacts {
            kind: "Deployment",
            name: "web".into(),
            uid: "uid-web".into(),
            group: None,
            labels: pod("a").labels,
            generation: 5,
            replicas: 2,
            revision: Revision::Number(1),
            is_rolled_out: true,
            overlaps: true,
        }
    }

    fn world(pods: &[PodFacts], rows: Vec<MemberRow>, workload: WorkloadFacts) -> GroupView {
        let mut view = view(pods);
        view.listing = Some(Arc::new(listing(1, None, rows)));
        view.workloads.insert(workload.key(), Arc::new(workload));
        view
    }

    fn drained(view: &GroupView, before: Option<i64>) -> Option<i64> {
        let before = WorkloadStatus { kind: "Deployment".into(), name: "web".into(), drained_generation: before };
        let said = workloads(view, &present(view), &[before]);
        let over = said[0].drained_generation == Some(5);
        assert_eq!(under_way(view, &said).is_empty(), over);
        said[0].drained_generation
    }

    fn both() -> Vec<MemberRow> {
        vec![row(1, "a", Active), row(2, "b", Active)]
    }

    #[test]
    fn a_generation_is_over_when_all_pods_are_of_it_and_nobody_else_is_left() {
        assert_eq!(drained(&world(&[pod("a"), pod("b")], both(), web()), None), Some(5));
        let mut gone = both();
        gone.push(row(3, "c", Gone));
        assert_eq!(drained(&world(&[pod("a"), pod("b")], gone, web()), Some(4)), Some(5));
    }

    #[test]
    fn a_restart_that_its_controller_has_not_seen_is_not_over() {
        let restarted = WorkloadFacts { is_rolled_out: false, ..web() };
        assert_eq!(drained(&world(&[pod("a"), pod("b")], both(), restarted), Some(4)), Some(4));
    }

    #[test]
    fn a_pod_that_the_operator_has_not_seen_yet_is_waited_for() {
        assert_eq!(drained(&world(&[pod("a")], vec![row(1, "a", Active)], web()), Some(4)), Some(4));
    }

    #[test]
    fn an_old_pod_counts_until_it_has_ended() {
        let mut old = world(&[pod("a"), pod("b"), pod("c")], both(), web());
        old.pods.get_mut("c").expect("a pod").revision = 0;
        assert_eq!(drained(&old, Some(4)), Some(4), "the cache still has it as running");
        let mut terminating = pod("c");
        terminating.life = Life::Terminating { grace_seconds: 30 };
        assert_eq!(drained(&world(&[pod("a"), pod("b"), terminating], both(), web()), Some(4)), Some(4));
        let mut rows = both();
        rows.push(row(3, "c", Leaving));
        assert_eq!(drained(&world(&[pod("a"), pod("b")], rows, web()), Some(4)), Some(4), "its end is not proven");
        let mut finished = pod("c");
        finished.life = Life::Finished;
        assert_eq!(drained(&world(&[pod("a"), pod("b"), finished], both(), web()), Some(4)), Some(5));
    }

    #[test]
    fn what_is_over_stays_so_when_a_pod_is_replaced_later() {
        assert_eq!(
            drained(&world(&[pod("a")], vec![row(1, "a", Active), row(2, "b", Leaving)], web()), Some(5)),
            Some(5)
        );
    }

    #[test]
    fn a_workload_of_no_pods_is_over_at_once() {
        assert_eq!(drained(&world(&[], vec![], WorkloadFacts { replicas: 0, ..web() }), None), Some(5));
    }

    #[test]
    fn a_workload_that_was_made_again_counts_anew() {
        let anew = WorkloadFacts { is_rolled_out: false, ..web() };
        assert_eq!(drained(&world(&[], vec![], anew), Some(9)), None);
    }
}
