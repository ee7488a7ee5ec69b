//! Who gets a certificate, by an API server that does as it is told.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton_identity::{Identity, KeyRequest, Keyring};
use baton_wire::identity::IssueRequest;
use baton_wire::identity::identity_server::Identity as _;
use hyper::{Method, Request, Response, StatusCode};
use k8s_openapi::api::core::v1::Pod;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::{AUDIENCE, IdentityService, Issuer};
use crate::api::ApiServer;
use crate::fixture::{group, pod};
use crate::index::{Life, SharedIndex};
use crate::metrics::Metrics;

/// What the API server answers.
#[derive(Clone, Default)]
struct Cluster {
    /// The status of every token review; none if the API server is away.
    token: Arc<Mutex<Option<Value>>>,
    /// The pod that is there.
    pod: Arc<Mutex<Option<Value>>>,
    /// The StatefulSet that is there.
    set: Arc<Mutex<Option<Value>>>,
}

struct Desk {
    cluster: Cluster,
    index: SharedIndex,
    service: IdentityService,
}

// === impl Cluster ===

impl Cluster {
    fn answer(&self, request: &Request<Body>) -> Option<(StatusCode, Value)> {
        if request.method() == Method::POST && request.uri().path().ends_with("/tokenreviews") {
            let status = self.token.lock().clone()?;
            let review = json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {}, "status": status,
            });
            return Some((StatusCode::CREATED, review));
        }
        let missing =
            json!({ "kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "" });
        let is_set = request.uri().path().contains("/statefulsets/");
        let found = if is_set { self.set.lock().clone() } else { self.pod.lock().clone() };
        Some(found.map_or((StatusCode::NOT_FOUND, missing), |pod| (StatusCode::OK, pod)))
    }

    fn client(&self) -> kube::Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let answer = cluster.answer(&request);
            async move {
                let (status, body) = answer.ok_or(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))?;
                let response = Response::builder().status(status).body(Body::from(body.to_string().into_bytes()));
                response.map_err(std::io::Error::other)
            }
        });
        kube::Client::new(service, "default")
    }
}

// === impl Desk ===

impl Desk {
    /// A desk at which the token is that of the pod `a` of `shop/web`, which the index knows.
    fn open() -> Self {
        let cluster = Cluster::default();
        *cluster.token.lock() = Some(token("shop", "a", "uid-a"));
        let index = SharedIndex::default();
        index.write().apply_group(group("web", 100));
        index.write().apply_pod("shop", pod("a"));
        let issuer = Issuer::new("td".parse().expect("a trust domain"));
        let now = SystemTime::now();
        issuer.take(Keyring::default().tended(now).expect("a keyring"), now).expect("a certificate");
        let api = ApiServer::new(cluster.client());
        let service = IdentityService::new(index.clone(), api, issuer, Metrics::default());
        Self { cluster, index, service }
    }

    async fn ask(&self, group: &str) -> Result<Identity, Status> {
        let key = KeyRequest::new().expect("a key");
        let request = key.to_der().expect("a request").into();
        let request = IssueRequest { token: "t".into(), group: group.into(), request };
        let answer = self.service.issue(tonic::Request::new(request)).await?.into_inner();
        assert!(answer.valid_seconds > 23 * 3600, "{} s", answer.valid_seconds);
        let credential = key.into_credential(answer.certificate.to_vec()).expect("a credential");
        Ok(credential.identity().clone())
    }

    async fn refused(&self, group: &str) -> Code {
        self.ask(group).await.expect_err("a refusal").code()
    }
}

fn token(namespace: &str, pod: &str, uid: &str) -> Value {
    json!({
        "authenticated": true,
        "audiences": [AUDIENCE],
        "user": {
            "username": format!("system:serviceaccount:{namespace}:default"),
            "extra": {
                "authentication.kubernetes.io/pod-name": [pod],
                "authentication.kubernetes.io/pod-uid": [uid],
            },
        },
    })
}

fn live(name: &str, uid: &str, labels: Value) -> Value {
    let metadata = json!({ "name": name, "uid": uid, "namespace": "shop", "labels": labels });
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata });
    serde_json::from_value::<Pod>(pod.clone()).expect("a pod");
    pod
}

#[tokio::test]
async fn a_pod_of_the_group_is_given_a_certificate_in_its_name() {
    let identity = Desk::open().ask("web").await.expect("a certificate");
    assert_eq!(identity.to_string(), "spiffe://td/ns/shop/group/web/pod/uid-a");
}

#[tokio::test]
async fn a_pod_of_another_group_is_refused_for_good() {
    let desk = Desk::open();
    desk.index.write().apply_group(group("cart", 200));
    *desk.cluster.pod.lock() = Some(live("a", "uid-a", json!({ "app": "other" })));
    let mut other = group("cart", 200);
    other.spec.selector.match_labels = [("app".to_owned(), baton_crds::selector::LabelValue("cart".into()))].into();
    desk.index.write().apply_group(other);
    assert_eq!(desk.refused("cart").await, Code::PermissionDenied);
}

#[tokio::test]
async fn a_pod_of_another_namespace_is_of_no_group_of_this_one() {
    let desk = Desk::open();
    *desk.cluster.token.lock() = Some(token("stage", "a", "uid-a"));
    assert_eq!(desk.refused("web").await, Code::Unavailable, "there is no such group in its namespace");
}

#[tokio::test]
async fn a_token_that_the_api_server_does_not_accept_is_refused() {
    let desk = Desk::open();
    let refusals = [
        json!({ "authenticated": false, "error": "token has expired" }),
        json!({ "authenticated": true, "user": { "username": "system:serviceaccount:shop:default" } }),
        json!({ "authenticated": true, "audiences": [AUDIENCE], "user": { "username": "system:serviceaccount:shop:default" } }),
        json!({}),
    ];
    for status in refusals {
        *desk.cluster.token.lock() = Some(status);
        assert_eq!(desk.refused("web").await, Code::Unauthenticated);
    }
}

#[tokio::test]
async fn the_token_of_a_pod_that_is_gone_is_worth_asking_again_and_no_more() {
    let desk = Desk::open();
    desk.index.write().delete_pod("shop", &pod("a"));
    assert_eq!(desk.refused("web").await, Code::Unavailable);
    *desk.cluster.pod.lock() = Some(live("a", "uid-of-its-successor", json!({ "app": "web" })));
    assert_eq!(desk.refused("web").await, Code::Unavailable, "its name is another pod's now");
}

#[tokio::test]
async fn a_pod_that_has_ended_is_refused_for_good() {
    let desk = Desk::open();
    let mut ended = pod("a");
    ended.life = Life::Finished;
    desk.index.write().apply_pod("shop", ended);
    assert_eq!(desk.refused("web").await, Code::PermissionDenied);
}

#[tokio::test]
async fn a_pod_that_the_index_has_not_seen_yet_is_looked_up() {
    let desk = Desk::open();
    *desk.cluster.token.lock() = Some(token("shop", "new", "uid-new"));
    *desk.cluster.pod.lock() = Some(live("new", "uid-new", json!({ "app": "web" })));
    let identity = desk.ask("web").await.expect("a certificate");
    assert_eq!(identity.to_string(), "spiffe://td/ns/shop/group/web/pod/uid-new");
}

#[tokio::test]
async fn a_keeper_that_the_index_has_not_seen_yet_is_proven_by_who_has_made_it() {
    let desk = Desk::open();
    *desk.cluster.token.lock() = Some(token("shop", "web-keeper-0", "uid-k"));
    let mut keeper = live("web-keeper-0", "uid-k", json!({ "baton.dev/group": "web", "baton.dev/keeper": "true" }));
    keeper["metadata"]["ownerReferences"] = json!([{ "apiVersion": "apps/v1", "kind": "StatefulSet", "controller": true,
        "name": "web-keeper", "uid": "uid-set" }]);
    *desk.cluster.pod.lock() = Some(keeper);
    assert_eq!(desk.refused("web").await, Code::Unavailable, "there is no such set, or not yet");
    let set = |uid: &str, group: &str| {
        let owner = json!({ "apiVersion": "baton.dev/v1alpha1", "kind": "HandoffGroup", "controller": true, "name": "web",
            "uid": group });
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": { "name": "web-keeper", "namespace": "shop", "uid": uid, "ownerReferences": [owner] },
            "spec": { "selector": {}, "serviceName": "", "template": {} },
        })
    };
    *desk.cluster.set.lock() = Some(set("uid-of-another-set", "group-web"));
    assert_eq!(desk.refused("web").await, Code::Unavailable);
    *desk.cluster.set.lock() = Some(set("uid-set", "uid-of-another-group"));
    assert_eq!(desk.refused("web").await, Code::PermissionDenied);
    *desk.cluster.set.lock() = Some(set("uid-set", "group-web"));
    let identity = desk.ask("web").await.expect("a certificate");
    assert_eq!(identity.to_string(), "spiffe://td/ns/shop/group/web/pod/uid-k");
}

#[tokio::test]
async fn without_an_api_server_an_agent_is_told_to_ask_again() {
    let desk = Desk::open();
    *desk.cluster.token.lock() = None;
    assert_eq!(desk.refused("web").await, Code::Unavailable);
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let desk = Desk::open();
    let sound = IssueRequest { token: "t".into(), group: "web".into(), request: b"rubbish"[..].into() };
    let cases = [
        sound.clone(),
        IssueRequest { token: String::new(), ..sound.clone() },
        IssueRequest { token: "t".repeat(100_000), ..sound.clone() },
        IssueRequest { group: String::new(), ..sound.clone() },
        IssueRequest { group: "../web".into(), ..sound },
    ];
    for case in cases {
        let refused = desk.service.issue(tonic::Request::new(case)).await.expect_err("a refusal");
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn the_operators_own_certificate_follows_the_ca_and_the_clock() {
    let issuer = Issuer::new("td".parse().expect("a trust domain"));
    assert!(!issuer.is_in_office());
    let now = SystemTime::now();
    let keyring = Keyring::default().tended(now).expect("a keyring");
    issuer.take(keyring.clone(), now).expect("a certificate");
    assert_eq!(issuer.wallet().identity().map(|own| own.to_string()), Some("spiffe://td/operator".to_owned()));
    assert_eq!(*issuer.roots().borrow(), keyring.roots().into());
    let turned = keyring.turned(now).expect("a keyring");
    issuer.take(turned.clone(), now + Duration::from_secs(3600)).expect("a certificate");
    assert_eq!(*issuer.roots().borrow(), turned.roots().into());
}
