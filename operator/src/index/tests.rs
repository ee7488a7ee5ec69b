use std::collections::BTreeMap;
use std::sync::Arc;

use baton_crds::label;
use baton_crds::membership::MemberPhase;
use baton_crds::selector::LabelValue;

use super::{
    Agent, GroupKey, GroupView, Index, Life, OptIn, Owner, PodFacts, ReplicaSetFacts, Revision, RevisionFacts,
    Standing, Termination, WorkloadFacts,
};
use crate::fixture::{group, keeper, keeper_set, listing, pod, row};

fn index() -> Index {
    let mut index = Index::default();
    index.apply_group(group("web", 100));
    index
}

fn key() -> GroupKey {
    GroupKey::new("shop", "web")
}

fn view_of(index: &Index, name: &str) -> Arc<GroupView> {
    index.view(&GroupKey::new("shop", name)).expect("a group").borrow().clone()
}

fn view(index: &Index) -> Arc<GroupView> {
    view_of(index, "web")
}

fn standing(index: &Index, pod: &str) -> Option<Standing> {
    view(index).pods.get(pod).map(|pod| pod.standing)
}

fn plain(name: &str) -> PodFacts {
    let mut pod = pod(name);
    pod.labels.remove(label::GROUP);
    pod.agent = Agent::Absent;
    pod
}

#[test]
fn pods_are_seen_whichever_comes_first() {
    let mut index = Index::default();
    index.apply_pod("shop", plain("a"));
    index.apply_group(group("web", 100));
    index.apply_pod("shop", plain("b"));
    index.apply_pod("elsewhere", plain("c"));
    assert_eq!(view(&index).pods.keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn the_set_of_groups_is_told_when_it_changes_and_not_otherwise() {
    let mut index = index();
    let mut groups = index.groups();
    groups.mark_unchanged();
    index.apply_pod("shop", plain("a"));
    assert!(!groups.has_changed().expect("open"));
    index.apply_group(group("other", 100));
    assert!(groups.has_changed().expect("open"));
    assert_eq!(groups.borrow_and_update().len(), 2);
    index.delete_group(&key());
    assert_eq!(groups.borrow_and_update().len(), 1);
}

#[test]
fn readers_of_a_group_that_is_gone_are_told() {
    let mut index = index();
    let view = index.view(&key()).expect("a group");
    index.delete_group(&key());
    assert!(view.has_changed().is_err());
}

#[test]
fn a_view_that_stays_the_same_is_not_told_again() {
    let mut index = index();
    index.apply_pod("shop", plain("a"));
    let mut view = index.view(&key()).expect("a group");
    view.mark_unchanged();
    index.apply_pod("shop", plain("a"));
    index.reset_pods(vec![("shop".into(), plain("a"))]);
    index.apply_pod("elsewhere", plain("c"));
    assert!(!view.has_changed().expect("open"));
}

#[test]
fn a_new_list_replaces_the_old_one_in_one_step() {
    let mut index = index();
    index.apply_pod("shop", plain("a"));
    index.reset_pods(vec![("shop".into(), plain("b"))]);
    assert_eq!(view(&index).pods.keys().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn the_older_of_two_groups_gets_the_pod_and_the_younger_is_told() {
    let mut index = index();
    index.apply_group(group("younger", 200));
    index.apply_pod("shop", plain("a"));
    assert_eq!(standing(&index, "a"), Some(Standing::Selected));
    let younger = view_of(&index, "younger");
    assert!(younger.pods.is_empty());
    assert_eq!(younger.conflicts, BTreeMap::from([("a".to_owned(), "web".to_owned())]));
    assert_eq!(index.group_for("shop", &plain("a").labels).expect("a group").key, key());
}

#[test]
fn running_members_never_move_to_a_group_that_is_older() {
    let mut index = index();
    index.apply_pod("shop", pod("a"));
    index.apply_group(group("older", 50));
    assert_eq!(standing(&index, "a"), Some(Standing::Selected));
    assert_eq!(view_of(&index, "older").conflicts, BTreeMap::from([("a".to_owned(), "web".to_owned())]));
}

#[test]
fn a_pod_relabelled_out_of_its_group_is_a_stray() {
    let mut index = index();
    let mut stray = pod("a");
    stray.labels.insert("app".into(), "other".into());
    index.apply_pod("shop", stray.clone());
    assert_eq!(standing(&index, "a"), Some(Standing::Stray));

    stray.labels.remove(label::GROUP);
    index.apply_pod("shop", stray.clone());
    assert_eq!(standing(&index, "a"), None);
    index.apply_listing(&key(), listing(1, None, vec![row(1, "a", MemberPhase::Active)]));
    assert_eq!(standing(&index, "a"), Some(Standing::Stray));
}

#[test]
fn revisions_come_from_the_replica_set_and_follow_a_rollback() {
    let mut index = index();
    index.apply_pod("shop", plain("a"));
    let seen = |index: &Index| {
        let view = view(index);
        (view.pods["a"].controller.clone(), view.pods["a"].revision)
    };
    assert_eq!(seen(&index), ("ReplicaSet/web-1".into(), 0));
    for revision in [3, 5] {
        let set = ReplicaSetFacts { name: "web-1".into(), deployment: Some("web".into()), revision };
        index.apply_replica_set("shop", set);
        assert_eq!(seen(&index), ("Deployment/web".into(), revision));
    }
    index.delete_replica_set("shop", "web-1");
    assert_eq!(seen(&index).1, 0);
}

#[test]
fn revisions_of_sets_come_from_their_controller_revisions() {
    let mut index = index();
    let mut first = plain("web-0");
    first.owner = Some(Owner { kind: "DaemonSet".into(), name: "web".into(), uid: "uid-web".into() });
    first.labels.insert("controller-revision-hash".into(), "a".into());
    let set = WorkloadFacts {
        kind: "DaemonSet",
        name: "web".into(),
        uid: "uid-web".into(),
        group: None,
        labels: first.labels.clone(),
        generation: 1,
        replicas: 1,
        revision: Revision::Number(0),
        is_rolled_out: true,
        overlaps: false,
    };
    index.apply_pod("shop", first);
    index.apply_workload("shop", set);
    let seen = |index: &Index| {
        let view = view(index);
        let (set, pod) = (view.workloads["DaemonSet/web"].clone(), view.pods["web-0"].clone());
        (pod.revision, set.is_rolled_out, set.is_newest(&pod))
    };
    assert_eq!(seen(&index), (0, false, true), "its revisions were not seen yet");
    let revision = |name: &str, number| {
        let controller = "DaemonSet/web".into();
        RevisionFacts { name: name.into(), controller, number }
    };
    index.reset_revisions(vec![("shop".into(), revision("web-a", 1))]);
    assert_eq!(seen(&index), (1, true, true));
    index.apply_revision("shop", revision("web-b", 2));
    assert_eq!(seen(&index), (1, true, false));
    index.apply_revision("shop", revision("web-a", 3));
    assert_eq!(seen(&index), (3, true, true), "a rollback");
    index.delete_revision("shop", "web-b");
    assert_eq!(seen(&index), (3, true, true));
}

#[test]
fn an_older_state_of_a_membership_is_ignored() {
    let mut index = index();
    index.apply_listing(&key(), listing(9, None, vec![]));
    index.apply_listing(&key(), listing(8, None, vec![]));
    assert_eq!(view(&index).listing.as_ref().map(|listing| listing.spec.number), Some(9));
}

#[test]
fn what_a_deleted_membership_said_is_remembered() {
    let mut index = index();
    index.apply_listing(&key(), listing(9, None, vec![row(1, "a", MemberPhase::Active)]));
    index.delete_listing(&key(), "another");
    assert!(view(&index).listing.is_some());
    index.delete_listing(&key(), "list");
    let seen = view(&index);
    assert!(seen.listing.is_none());
    assert_eq!(seen.remembered.as_ref().map(|listing| listing.spec.number), Some(9));

    let mut anew = listing(3, None, vec![]);
    anew.uid = "anew".into();
    index.apply_listing(&key(), anew);
    assert_eq!(view(&index).remembered.as_ref().map(|listing| listing.spec.number), Some(9));
}

#[test]
fn a_membership_replaced_between_two_lists_is_remembered_too() {
    let mut index = index();
    index.apply_listing(&key(), listing(9, None, vec![]));
    index.reset_listings(vec![]);
    assert!(view(&index).listing.is_none() && view(&index).remembered.is_some());
}

#[test]
fn how_an_agent_ended_outlives_its_pod() {
    let mut index = index();
    index.apply_pod("shop", pod("a"));
    let mut last = pod("a");
    last.life = Life::Finished;
    let how = Termination { exit_code: 1, message: "{}".into() };
    last.agent = Agent::Present { started: false, termination: Some(how.clone()) };
    index.delete_pod("shop", &last);
    let seen = view(&index);
    assert!(seen.pods.is_empty());
    assert_eq!(seen.terminations, BTreeMap::from([("uid-a".to_owned(), how)]));
}

#[test]
fn the_end_of_an_older_pod_of_the_same_name_removes_nothing() {
    let mut index = index();
    let mut successor = pod("a");
    successor.uid = "uid-new".into();
    index.apply_pod("shop", successor);
    index.delete_pod("shop", &pod("a"));
    assert!(view(&index).pods.contains_key("a"));
}

#[test]
fn a_namespaces_label_is_known_before_it_has_a_group() {
    let mut index = Index::default();
    index.apply_namespace("shop", OptIn::Enabled);
    assert_eq!(index.namespace_opt_in("shop"), OptIn::Enabled);
    index.apply_group(group("web", 100));
    assert_eq!(view(&index).namespace_opt_in, OptIn::Enabled);
    index.delete_namespace("shop");
    assert_eq!(view(&index).namespace_opt_in, OptIn::Unsaid);
}

#[test]
fn facts_of_a_pod_are_read_from_the_object() {
    let object = serde_json::from_value(serde_json::json!({
        "metadata": {"name": "a", "uid": "u", "labels": {"app": "web", "topology.kubernetes.io/zone": "z1"},
            "deletionTimestamp": "2026-11-20T10:00:00Z", "deletionGracePeriodSeconds": 27,
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "r", "controller": true}]},
        "spec": {"nodeName": "n1", "containers": [],
            "initContainers": [{"name": "baton-agent", "restartPolicy": "Always"}]},
        "status": {"phase": "Running", "initContainerStatuses": [{"name": "baton-agent", "image": "", "imageID": "",
            "ready": false, "restartCount": 0, "started": false,
            "state": {"terminated": {"exitCode": 1, "message": "{\"outcome\":\"failed\"}"}}}]},
    }))
    .expect("a pod");
    let facts = PodFacts::of(&object).expect("facts");
    assert_eq!((facts.node.as_str(), facts.zone.as_str()), ("n1", "z1"));
    assert_eq!(facts.life, Life::Terminating { grace_seconds: 27 });
    assert_eq!(facts.owner.as_ref().map(|owner| owner.name.as_str()), Some("web-1"));
    assert_eq!(facts.termination().map(|how| how.exit_code), Some(1));
}

#[test]
fn an_agent_without_its_restart_policy_is_broken() {
    let object = serde_json::from_value(serde_json::json!({
        "metadata": {"name": "a", "uid": "u"},
        "spec": {"containers": [], "initContainers": [{"name": "baton-agent"}]},
    }))
    .expect("a pod");
    assert_eq!(PodFacts::of(&object).map(|facts| facts.agent), Some(Agent::Broken));
}

#[test]
fn a_workload_belongs_to_the_group_that_selects_its_pods() {
    let workload = |name: &str, app: &str| WorkloadFacts {
        kind: "Deployment",
        name: name.into(),
        uid: format!("uid-{name}"),
        group: None,
        labels: BTreeMap::from([("app".to_owned(), app.to_owned())]),
        generation: 1,
        replicas: 1,
        revision: Revision::Number(1),
        is_rolled_out: true,
        overlaps: true,
    };
    let mut index = index();
    index.apply_workload("shop", workload("web", "web"));
    index.apply_workload("shop", workload("db", "db"));
    let seen = |index: &Index| view(index).workloads.keys().cloned().collect::<Vec<_>>();
    assert_eq!(seen(&index), ["Deployment/web"]);
    index.reset_workloads("StatefulSet", vec![]);
    assert_eq!(seen(&index), ["Deployment/web"]);
    index.reset_workloads("Deployment", vec![("shop".into(), workload("shop", "web"))]);
    assert_eq!(seen(&index), ["Deployment/shop"]);
    index.delete_workload("shop", &workload("shop", "web"));
    assert!(seen(&index).is_empty());
}

#[test]
fn a_keeper_belongs_to_the_group_whose_set_has_made_it_whatever_selects_it() {
    let mut index = index();
    let mut younger = group("younger", 200);
    younger.spec.selector.match_labels =
        [(label::KEEPER.to_owned(), baton_crds::selector::LabelValue("true".into()))].into();
    index.apply_group(younger);
    index.apply_pod("shop", keeper("web-keeper-0"));
    assert_eq!(standing(&index, "web-keeper-0"), None, "its set was not seen yet");
    index.apply_workload("shop", keeper_set(2));
    assert_eq!(standing(&index, "web-keeper-0"), Some(Standing::Keeper));
    assert_eq!(view(&index).pods["web-keeper-0"].controller, "StatefulSet/web-keeper");
    assert_eq!(view(&index).workloads.keys().collect::<Vec<_>>(), ["StatefulSet/web-keeper"]);
    let other = view_of(&index, "younger");
    assert!(other.pods.is_empty() && other.conflicts.is_empty() && other.workloads.is_empty());
}

#[test]
fn who_only_says_that_it_is_a_keeper_is_none() {
    let belongs = |set: WorkloadFacts, pod: PodFacts| {
        let mut index = index();
        index.apply_workload("shop", set);
        index.apply_pod("shop", pod);
        standing(&index, "web-keeper-0")
    };
    let pod = || keeper("web-keeper-0");
    assert_eq!(belongs(keeper_set(2), pod()), Some(Standing::Keeper));
    assert_eq!(belongs(WorkloadFacts { uid: "of-another-set".into(), ..keeper_set(2) }, pod()), None);
    assert_eq!(belongs(WorkloadFacts { group: Some("of-another-group".into()), ..keeper_set(2) }, pod()), None);
    let of_nobody = WorkloadFacts { group: None, ..keeper_set(2) };
    assert_eq!(belongs(of_nobody, pod()), Some(Standing::Stray), "its label still names the group");
    assert_eq!(belongs(keeper_set(2), PodFacts { owner: None, ..pod() }), Some(Standing::Stray));
    let mut unlabelled = pod();
    unlabelled.labels.remove(label::KEEPER);
    assert_eq!(belongs(keeper_set(2), unlabelled), Some(Standing::Stray));
}

#[test]
fn a_keepers_agent_is_its_main_container() {
    let object = |labels: serde_json::Value| {
        let object = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "k", "uid": "u", "labels": labels},
            "spec": {"containers": [{"name": "baton-agent"}]},
            "status": {"containerStatuses": [{"name": "baton-agent", "image": "", "imageID": "", "ready": true,
                "restartCount": 0, "started": true}]},
        }));
        PodFacts::of(&object.expect("a pod")).expect("facts").agent
    };
    let present = Agent::Present { started: true, termination: None };
    assert_eq!(object(serde_json::json!({label::KEEPER: "true"})), present);
    assert_eq!(object(serde_json::json!({})), Agent::Absent);
}

/// Numbers in no order, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Changes that come one by one are worked out for the groups that they touch; lists are worked out for all. Both must see
/// the same, whatever comes in whatever order.
#[test]
fn what_comes_piece_by_piece_is_seen_as_what_comes_at_once() {
    let mut dice = Dice(7);
    let (mut groups, mut pods) = (BTreeMap::new(), BTreeMap::new());
    let (mut workloads, mut listings) = (BTreeMap::new(), BTreeMap::new());
    let mut index = Index::default();
    for step in 0..3_000 {
        let name = |dice: &mut Dice| ["web", "web-2", "other"][dice.roll(3) as usize].to_owned();
        let label = |dice: &mut Dice| if dice.roll(2) == 0 { "web" } else { "other" };
        match dice.roll(8) {
            0 => {
                let mut one = group(&name(&mut dice), dice.roll(3) as i64);
                one.deleting = dice.roll(4) == 0;
                one.generation = dice.roll(9) as i64;
                let app = LabelValue(label(&mut dice).into());
                one.spec.selector.match_labels.insert("app".into(), app);
                index.apply_group(one.clone());
                groups.insert(one.key.name.clone(), one);
            }
            1 => {
                let gone = name(&mut dice);
                index.delete_group(&GroupKey::new("shop", gone.as_str()));
                groups.remove(&gone);
            }
            2..=4 => {
                let bearer = ["a", "b", "c", "d"][dice.roll(4) as usize];
                let mut one = if dice.roll(3) == 0 { keeper(bearer) } else { pod(bearer) };
                one.uid = format!("uid-{bearer}-{}", dice.roll(2));
                one.labels.insert("app".into(), label(&mut dice).into());
                match dice.roll(3) {
                    0 => drop(one.labels.remove(label::GROUP)),
                    1 => drop(one.labels.insert(label::GROUP.into(), name(&mut dice))),
                    _ => {}
                }
                index.apply_pod("shop", one.clone());
                pods.insert(one.name.clone(), one);
            }
            5 => {
                let Some(one) = pods.values().nth(dice.roll(4) as usize).cloned() else { continue };
                index.delete_pod("shop", &one);
                pods.remove(&one.name);
            }
            6 => {
                let mut one = keeper_set(dice.roll(3) as i64);
                if dice.roll(3) == 0 {
                    one.kind = "Deployment";
                    one.group = None;
                    one.labels = BTreeMap::from([("app".to_owned(), label(&mut dice).to_owned())]);
                }
                if dice.roll(4) == 0 {
                    index.delete_workload("shop", &one);
                    workloads.remove(&one.key());
                } else {
                    index.apply_workload("shop", one.clone());
                    workloads.insert(one.key(), one);
                }
            }
            _ => {
                let key = GroupKey::new("shop", name(&mut dice));
                let mut row = row(1, ["a", "b", "c", "d"][dice.roll(4) as usize], MemberPhase::Active);
                row.pod_uid = format!("{}-{}", row.pod_uid, dice.roll(2));
                let one = listing(step, None, vec![row]);
                index.apply_listing(&key, one.clone());
                listings.insert(key, one);
            }
        }
        let mut at_once = Index::default();
        at_once.reset_listings(listings.clone().into_iter().collect());
        at_once.reset_workloads("any", workloads.values().map(|one| ("shop".to_owned(), one.clone())).collect());
        at_once.reset_pods(pods.values().map(|one| ("shop".to_owned(), one.clone())).collect());
        at_once.reset_groups(groups.values().cloned().collect());
        let views = |index: &Index| -> BTreeMap<GroupKey, GroupView> {
            let views = index.groups().borrow().clone();
            views.iter().map(|(key, view)| (key.clone(), (**view.borrow()).clone())).collect()
        };
        assert_eq!(views(&index), views(&at_once), "after {step} changes");
    }
}
