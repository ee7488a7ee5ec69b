use std::time::Duration;

use serde_json::json;

use super::*;
use crate::fixture::{ApiRequest, Requests, defaults, keeper_set, view};
use crate::index::WorkloadFacts;

/// A group that asks for so many keepers, whose StatefulSet was seen so.
fn seen(replicas: u32, set: Option<WorkloadFacts>) -> Arc<GroupView> {
    let mut view = view(&[]);
    let mut group = (*view.group).clone();
    group.spec.keepers.replicas = replicas;
    view.group = Arc::new(group);
    view.workloads.extend(set.map(|set| (set.key(), Arc::new(set))));
    Arc::new(view)
}

/// What is there: an object with this HandoffGroup as its owner.
fn owned_by(name: &'static str, uid: &'static str) -> (u16, Value) {
    let owner = json!({"apiVersion": "baton.dev/v1alpha1", "kind": "HandoffGroup", "name": name, "uid": uid});
    (200, json!({"metadata": {"name": "web-keeper", "uid": "uid-1", "ownerReferences": [owner]}}))
}

fn start(api: ApiServer, view: Arc<GroupView>) -> watch::Sender<Arc<GroupView>> {
    let (views, view) = watch::channel(view);
    let announcer = Announcer::new(api.clone(), None);
    let defaults = Arc::new(defaults());
    tokio::spawn(Maker { api, announcer, office: Office::always(true), defaults, view }.run());
    views
}

/// The next changes, so many of them; and what more comes at once, which is too much.
async fn changes(requests: &Requests, count: usize) -> Vec<ApiRequest> {
    let mut changes = requests.wait_for(count, |one| one.method != "GET").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    changes.extend(requests.take().into_iter().filter(|one| one.method != "GET"));
    changes
}

fn said(changes: &[ApiRequest]) -> Vec<String> {
    changes.iter().map(|one| format!("{} {}", one.method, one.path)).collect()
}

const POLICY: &str = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/web-keeper";
const BUDGET: &str = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/web-keeper";
const SET: &str = "/apis/apps/v1/namespaces/shop/statefulsets/web-keeper";

#[tokio::test]
async fn what_a_group_asks_for_is_made_and_made_again_when_somebody_has_changed_it() {
    let (api, requests) = Requests::answer(|method, _| match method {
        "GET" => (404, json!({"code": 404, "reason": "NotFound", "message": "none", "status": "Failure"})),
        _ => (200, json!({})),
    });
    let views = start(api, seen(2, None));
    let made = changes(&requests, 3).await;
    assert_eq!(said(&made), [POLICY, BUDGET, SET].map(|path| format!("PATCH {path}")));
    assert!(made.iter().all(|one| one.query.contains("fieldManager=baton-operator-keepers")));
    assert!(
        made.iter().all(|one| !one.query.contains("force=true")),
        "another's object of that name is not overwritten"
    );
    assert_eq!(made[2].body["spec"]["replicas"], 2);

    views.send_replace(seen(2, Some(keeper_set(2))));
    assert_eq!(changes(&requests, 3).await.len(), 3, "the set was seen");
    views.send_replace(Arc::new(GroupView {
        conflicts: [("a".into(), "b".into())].into(),
        ..(*seen(2, Some(keeper_set(2)))).clone()
    }));
    assert_eq!(said(&changes(&requests, 0).await), [] as [&str; 0], "nothing is to be done");
    views.send_replace(seen(2, Some(WorkloadFacts { generation: 2, replicas: 5, ..keeper_set(2) })));
    assert_eq!(changes(&requests, 3).await.len(), 3, "somebody has scaled it");
    views.send_replace(seen(3, Some(keeper_set(2))));
    assert_eq!(changes(&requests, 3).await[2].body["spec"]["replicas"], 3);
}

#[tokio::test]
async fn what_the_group_owns_is_taken_back_from_whoever_has_changed_it() {
    let (api, requests) = Requests::answer(|_, _| owned_by("web", "group-web"));
    let _views = start(api, seen(2, Some(keeper_set(2))));
    let made = changes(&requests, 3).await;
    assert!(made.len() == 3 && made.iter().all(|one| one.query.contains("force=true")), "{made:?}");
}

#[tokio::test]
async fn an_object_of_somebody_else_is_left_alone_and_that_is_said() {
    let (api, requests) = Requests::answer(|_, _| owned_by("shop", "another"));
    let _views = start(api, seen(2, None));
    let made = changes(&requests, 1).await;
    let [event] = made.as_slice() else { panic!("{made:?}") };
    assert_eq!(event.body["reason"], "KeepersNotMade");
    assert!(
        event.body["note"].as_str().is_some_and(|note| note.contains("a NetworkPolicy web-keeper is there already"))
    );
}

#[tokio::test]
async fn what_is_not_asked_for_any_more_is_emptied_and_then_deleted() {
    let (api, requests) = Requests::answer(|_, _| owned_by("web", "group-web"));
    let views = start(api, seen(0, Some(keeper_set(2))));
    let made = changes(&requests, 3).await;
    assert_eq!(made[2].body["spec"]["replicas"], 0);
    views.send_replace(seen(0, Some(WorkloadFacts { generation: 2, ..keeper_set(0) })));
    let removed = changes(&requests, 3).await;
    assert_eq!(said(&removed), [POLICY, BUDGET, SET].map(|path| format!("DELETE {path}")));
    assert!(removed.iter().all(|one| one.body["preconditions"]["uid"] == "uid-1"), "no other of that name");
    views.send_replace(seen(0, None));
    assert_eq!(said(&changes(&requests, 0).await), [] as [&str; 0]);
}

#[tokio::test]
async fn what_a_group_of_the_same_name_has_left_is_waited_for_in_silence() {
    let (api, requests) = Requests::answer(|_, _| owned_by("web", "an-earlier-group"));
    let _views = start(api, seen(2, None));
    assert_eq!(said(&changes(&requests, 0).await), [] as [&str; 0]);
}
