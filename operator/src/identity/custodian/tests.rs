//! The CAs and their Secret, and the ConfigMaps of namespaces, by an API server that keeps what it is given.

use std::collections::BTreeMap;

use hyper::{Method, Request, Response, StatusCode};
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::fixture::group;
use crate::identity::Herald;
use crate::index::SharedIndex;

const SECRET: &str = "/api/v1/namespaces/baton-system/secrets/ca";

/// Objects by path, each with a version that counts its writes.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<BTreeMap<String, Value>>>);

// === impl Store ===

impl Store {
    fn api(&self) -> ApiServer {
        let store = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let store = store.clone();
            async move {
                let (method, path) = (request.method().clone(), request.uri().path().to_owned());
                let body = request.into_body().collect_bytes().await.map_err(std::io::Error::other)?;
                let (status, body) = store.answer(&method, &path, serde_json::from_slice(&body).ok());
                let response = Response::builder().status(status).body(Body::from(body.to_string().into_bytes()));
                response.map_err(std::io::Error::other)
            }
        });
        ApiServer::new(kube::Client::new(service, "default"))
    }

    fn answer(&self, method: &Method, path: &str, object: Option<Value>) -> (StatusCode, Value) {
        let refuse = |status: StatusCode| {
            let (code, reason) = (status.as_u16(), status.canonical_reason().unwrap_or_default().replace(' ', ""));
            (status, json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "" }))
        };
        let mut objects = self.0.lock();
        let Some(mut object) = object else {
            return objects
                .get(path)
                .map_or_else(|| refuse(StatusCode::NOT_FOUND), |found| (StatusCode::OK, found.clone()));
        };
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let path = if *method == Method::POST { format!("{path}/{name}") } else { path.to_owned() };
        let found = objects.get(&path).map(|found| found["metadata"]["resourceVersion"].clone());
        let conflict = match *method {
            Method::POST => found.is_some(),
            Method::PUT => found.as_ref() != Some(&object["metadata"]["resourceVersion"]),
            _ => false,
        };
        if conflict {
            return refuse(StatusCode::CONFLICT);
        }
        let version = found.and_then(|found| found.as_str()?.parse().ok()).unwrap_or(0) + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        objects.insert(path, object.clone());
        (StatusCode::OK, object)
    }

    fn annotate(&self, key: &str) {
        let mut objects = self.0.lock();
        let secret = objects.get_mut(SECRET).expect("a Secret");
        secret["metadata"]["annotations"] = json!({ key: "now" });
    }

    fn remove(&self, path: &str) {
        self.0.lock().remove(path);
    }

    fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().get(path).cloned()
    }
}

fn custodian(store: &Store) -> Custodian {
    let issuer = Issuer::new("td".parse().expect("a trust domain"));
    Custodian::new(store.api(), "baton-system", "ca", issuer, Office::always(true))
}

#[tokio::test]
async fn operators_that_start_together_or_again_have_one_ca() {
    let store = Store::default();
    let (first, second) = (custodian(&store), custodian(&store));
    first.look().await.expect("a CA");
    second.look().await.expect("a CA");
    assert!(first.issuer.is_in_office() && second.issuer.is_in_office());
    assert_eq!(first.issuer.keyring(), second.issuer.keyring());
    assert_eq!(first.issuer.keyring().seats.len(), 1);
}

#[tokio::test]
async fn a_secret_that_is_lost_or_spoilt_is_written_again_from_what_is_in_use() {
    let store = Store::default();
    let custodian = custodian(&store);
    custodian.look().await.expect("a CA");
    let keyring = custodian.issuer.keyring();
    store.remove(SECRET);
    custodian.look().await.expect("a CA");
    let metadata = json!({ "name": "ca", "resourceVersion": "1" });
    store.answer(&Method::PUT, SECRET, Some(json!({ "metadata": metadata, "data": { "keyring.json": "e30=" } })));
    custodian.look().await.expect("a CA");
    assert_eq!(custodian.issuer.keyring(), keyring);
    assert_eq!(self::custodian(&store).look_at_anew().await, keyring);
}

#[tokio::test]
async fn people_can_have_the_next_ca_made_once() {
    let store = Store::default();
    let custodian = custodian(&store);
    custodian.look().await.expect("a CA");
    store.annotate(ROTATE);
    custodian.look().await.expect("a CA");
    custodian.look().await.expect("a CA");
    assert_eq!(custodian.issuer.keyring().seats.len(), 2);
}

#[tokio::test]
async fn each_namespace_with_a_group_is_told_of_the_cas_and_the_operators_own() {
    let store = Store::default();
    let custodian = custodian(&store);
    let index = SharedIndex::default();
    index.write().apply_group(group("web", 100));
    tokio::spawn(Herald::new(store.api(), "baton-system", &index, &custodian.issuer, Office::always(true)).run());
    custodian.look().await.expect("a CA");
    let mut other = group("web", 100);
    other.key.namespace = "stage".into();
    index.write().apply_group(other);
    let roots = custodian.issuer.keyring().roots();
    for namespace in ["shop", "stage", "baton-system"] {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/baton-roots");
        let told = async {
            while store.get(&path).is_none_or(|map| map["data"]["roots.pem"] != roots) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), told).await.expect("it is told in time");
    }
}

impl Custodian {
    /// What an operator finds that starts now.
    async fn look_at_anew(&self) -> Keyring {
        self.look().await.expect("a CA");
        self.issuer.keyring()
    }
}
