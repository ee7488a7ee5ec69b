//! One request, and what is answered to it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::store::{Object, Refusal, Store, place};
use super::target::Target;
use super::watch::{Watch, metadata};

/// What a write takes in a real API server: etcd, and admission.
const WRITE: Duration = Duration::from_millis(5);

/// What a read takes.
const READ: Duration = Duration::from_millis(1);

/// Lines of a watch on their way.
const LINES: usize = 64;

/// How tokens of the bench name a pod: `namespace/name/uid`.
const AUDIENCE: &str = "baton.dev/operator";

type Body = BoxBody<Bytes, Infallible>;

/// The part of a URL after `?`.
type Query = HashMap<String, String>;

/// Answers one request.
pub(super) async fn answer(store: Arc<Store>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let query = query(parts.uri.query().unwrap_or_default());
    let Some(target) = Target::of(parts.uri.path()) else { return Ok(failure(404, "NotFound")) };
    let is_watch = query.get("watch").is_some_and(|watch| watch == "true");
    let verb = if is_watch { "WATCH" } else { parts.method.as_str() };
    store.note_request(format!("{verb} {}", target.resource));
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    tokio::time::sleep(if parts.method == Method::GET { READ } else { WRITE }).await;
    let accept = parts.headers.get("accept").and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let metadata_only = accept.contains("as=PartialObjectMetadata");
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(match (parts.method, target.place()) {
        (Method::GET, None) if is_watch => watch(store, target, &query, metadata_only),
        (Method::GET, None) => list(&store, &target, &query, metadata_only),
        (Method::GET, Some(place)) => match store.object(&target.resource, &place) {
            Some(object) => text(200, object.text.clone()),
            None => failure(404, "NotFound"),
        },
        (Method::POST, None) if target.resource == "tokenreviews" => text(201, review(&sent).to_string().into()),
        // Nothing reads events.
        (Method::POST, None) if target.resource == "events" => text(201, body),
        (Method::POST, None) => create(&store, &target, sent),
        (Method::PATCH, Some(place)) => {
            let applies =
                parts.headers.get("content-type").is_some_and(|kind| kind.as_bytes().ends_with(b"apply-patch+yaml"));
            let status = target.part.as_deref() == Some("status");
            done(store.write(&target.resource, &place, |found| patched(found, sent, applies, status)))
        }
        (Method::PUT, Some(place)) => done(store.write(&target.resource, &place, |found| {
            check(found.ok_or(Refusal::NotFound)?, &sent)?;
            Ok(sent)
        })),
        (Method::DELETE, Some(place)) if store.remove(&target.resource, &place) => {
            text(200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}).to_string().into())
        }
        _ => failure(404, "NotFound"),
    })
}

fn watch(store: Arc<Store>, target: Target, query: &Query, metadata_only: bool) -> Response<Body> {
    let number = |field: &str| query.get(field).and_then(|number| number.parse().ok());
    let watch = Watch {
        resource: target.resource,
        namespace: target.namespace,
        metadata_only,
        after: number("resourceVersion").unwrap_or_else(|| store.version()),
        lasts: Duration::from_secs(number("timeoutSeconds").unwrap_or(300)),
    };
    let (lines, stream) = mpsc::channel(LINES);
    tokio::spawn(watch.run(store, lines));
    response(200, StreamBody::new(ReceiverStream::new(stream)).boxed())
}

/// A page of a list. A continue token is the last object's place: pages need not be of one moment, since the version
/// that they name is that of the first.
fn list(store: &Store, target: &Target, query: &Query, metadata_only: bool) -> Response<Body> {
    let (version, mut objects) = store.list(&target.resource, target.namespace.as_deref());
    if let Some((field, wanted)) = query.get("labelSelector").and_then(|selector| selector.split_once('=')) {
        objects.retain(|object| object.value["metadata"]["labels"][field] == wanted);
    }
    let (version, after) = match query.get("continue").and_then(|token| token.split_once(' ')) {
        Some((version, after)) => (version.to_owned(), Some(after.to_owned())),
        None => (version.to_string(), None),
    };
    let name = |object: &Object| format!("{}/{}", place(&object.value).0, place(&object.value).1);
    let key = |object: &Object| place(&object.value);
    if let Some(after) = after.as_deref().and_then(|after| after.split_once('/')) {
        let after = (after.0.to_owned(), after.1.to_owned());
        objects.retain(|object| key(object) > after);
    }
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let more = objects.len() > limit;
    objects.truncate(limit);
    let next = objects.last().filter(|_| more).map(|last| format!("{version} {}", name(last))).unwrap_or_default();
    let items: Vec<String> = objects
        .iter()
        .map(|object| match metadata_only {
            true => metadata(object).to_string(),
            false => String::from_utf8_lossy(&object.text).into_owned(),
        })
        .collect();
    let meta = json!({"resourceVersion": version, "continue": next});
    let text_of = format!(r#"{{"kind":"List","apiVersion":"v1","metadata":{meta},"items":[{}]}}"#, items.join(","));
    text(200, text_of.into())
}

fn create(store: &Store, target: &Target, mut object: Value) -> Response<Body> {
    if let Some(namespace) = &target.namespace {
        object["metadata"]["namespace"] = namespace.as_str().into();
    }
    let place = place(&object);
    let made = store.write(&target.resource, &place, |found| match found {
        Some(_) => Err(Refusal::Exists),
        None => Ok(object),
    });
    match made {
        Ok(object) => text(201, object.text.clone()),
        Err(refusal) => done(Err(refusal)),
    }
}

/// A merge patch, or an apply. Whoever applies a part of an object here is its only writer, so what it had applied
/// before is replaced.
fn patched(found: Option<&Object>, mut patch: Value, applies: bool, status: bool) -> Result<Value, Refusal> {
    let Some(found) = found else {
        return if applies && !status { Ok(patch) } else { Err(Refusal::NotFound) };
    };
    check(found, &patch)?;
    let mut value = found.value.clone();
    if status {
        patch = json!({"status": patch["status"].take()});
    }
    if applies {
        for (field, part) in patch.as_object_mut().into_iter().flatten().filter(|(field, _)| *field != "metadata") {
            value[field] = part.take();
        }
        return Ok(value);
    }
    json_patch::merge(&mut value, &patch);
    value["metadata"]["resourceVersion"] = found.value["metadata"]["resourceVersion"].clone();
    Ok(value)
}

/// Whether a write names the state that it was derived from, if it names one.
fn check(found: &Object, sent: &Value) -> Result<(), Refusal> {
    let same = |field: &str| {
        let named = &sent["metadata"][field];
        named.is_null() || *named == found.value["metadata"][field]
    };
    if same("uid") && same("resourceVersion") { Ok(()) } else { Err(Refusal::Conflict) }
}

/// What is said of a token: here, a token is the place and the UID of its pod.
fn review(review: &Value) -> Value {
    let token = review["spec"]["token"].as_str().unwrap_or_default();
    let mut status = json!({"authenticated": false, "error": "it is none"});
    if let [namespace, name, uid] = token.split('/').collect::<Vec<_>>()[..] {
        let extra =
            json!({"authentication.kubernetes.io/pod-name": [name], "authentication.kubernetes.io/pod-uid": [uid]});
        let user = json!({"username": format!("system:serviceaccount:{namespace}:default"), "extra": extra});
        status = json!({"authenticated": true, "audiences": [AUDIENCE], "user": user});
    }
    json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {}, "status": status})
}

fn done(written: Result<Arc<Object>, Refusal>) -> Response<Body> {
    match written {
        Ok(object) => text(200, object.text.clone()),
        Err(Refusal::NotFound) => failure(404, "NotFound"),
        Err(Refusal::Exists) => failure(409, "AlreadyExists"),
        Err(Refusal::Conflict) => failure(409, "Conflict"),
    }
}

fn failure(code: u16, reason: &str) -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason,
        "reason": reason, "code": code});
    text(code, status.to_string().into())
}

fn text(code: u16, text: Bytes) -> Response<Body> {
    response(code, Full::new(text).boxed())
}

fn response(code: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or_default();
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    response
}

fn query(text: &str) -> Query {
    let decode =
        |part: &str| percent_encoding::percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(field, value)| (decode(field), decode(value))).collect()
}
