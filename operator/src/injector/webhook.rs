//! The HTTP side of the webhook, and the decision what happens to a pod.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use baton_crds::{HandoffGroup, label};
use baton_telemetry::Repeat;
use kube::Api;
use kube::api::ListParams;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::review::{self, Answer, Request};
use super::{Defaults, Injection, inject};
use crate::api::{ApiError, ApiServer};
use crate::index::{GroupFacts, OptIn, SharedIndex};
use crate::metrics::{Admission, Metrics};

/// The largest request: etcd takes objects of 1.5 MiB, and a request has up to two of them.
const BODY: usize = 4 << 20;

/// Puts agents into pods.
#[derive(Clone)]
pub struct Injector {
    /// What is known of the groups.
    pub index: SharedIndex,
    /// Where groups that the index does not know are looked up.
    pub api: ApiServer,
    /// Counts what happens to pods.
    pub metrics: Metrics,
    /// What is injected where a group does not say otherwise.
    pub defaults: Arc<Defaults>,
    /// Calls that made no sense.
    pub garbage: Arc<Mutex<Repeat>>,
}

/// The webhook's one path.
pub fn router(injector: Injector) -> Router {
    Router::new().route("/inject", post(handle)).layer(DefaultBodyLimit::max(BODY)).with_state(injector)
}

async fn handle(State(injector): State<Injector>, body: Bytes) -> Response {
    let request = match review::read(&body) {
        Ok(request) => request,
        Err(error) => {
            injector.metrics.admitted(Admission::Garbage);
            // Whoever sends garbage must not fill the log with it.
            if let Some(count) = injector.garbage.lock().failed("garbage", Instant::now()) {
                tracing::warn!(%error, count, "The webhook was called with something else than a request to admit a pod");
            }
            return refuse(StatusCode::BAD_REQUEST, "bad_review", &error.to_string());
        }
    };
    let answer = injector.answer(&request).await;
    injector.note(&request, &answer);
    match review::write(&request, answer) {
        Ok(review) => Json(review).into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal", &error.to_string()),
    }
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let hint = "send an AdmissionReview of admission.k8s.io/v1 about a pod";
    (status, Json(json!({ "code": code, "message": message, "hint": hint }))).into_response()
}

// === impl Injector ===

impl Injector {
    async fn answer(&self, request: &Request) -> Answer {
        let own = OptIn::of(&request.labels);
        if own == OptIn::Disabled {
            return Answer::Untouched { warning: None };
        }
        let group = match self.group(request).await {
            Ok(group) => group,
            Err(error) => {
                return Answer::Refused(format!(
                    "Baton cannot tell whether a HandoffGroup selects this pod, because the API server does not answer: {error}. The pod's controller will try again."
                ));
            }
        };
        let Some(group) = group else { return ungrouped(request, own) };
        if request.pod.pointer("/spec/hostNetwork") == Some(&Value::Bool(true)) {
            let warning = "Baton injects no agent into pods with hostNetwork, because its ports would collide on the node; the state of this pod is not protected";
            return Answer::Untouched { warning: Some(warning.into()) };
        }
        let injection = Injection::of(&group.key.name, &group.spec, &self.defaults);
        match inject(&request.pod, &injection) {
            Ok(pod) => Answer::Changed(pod),
            Err(error) => Answer::Refused(format!("Baton cannot inject its agent: {error}")),
        }
    }

    /// The group that selects the pod. The index may lag behind a group that was just made.
    async fn group(&self, request: &Request) -> Result<Option<Arc<GroupFacts>>, ApiError> {
        if let Some(group) = self.index.read().group_for(&request.namespace, &request.labels) {
            return Ok(Some(group));
        }
        let groups: Api<HandoffGroup> = Api::namespaced(self.api.client(), &request.namespace);
        let live = self.api.call(groups.list(&ListParams::default())).await?;
        let facts = live.items.into_iter().filter_map(GroupFacts::of);
        let selecting = facts.filter(|group| !group.deleting && group.spec.selector.matches(&request.labels));
        Ok(selecting.min_by_key(GroupFacts::age).map(Arc::new))
    }

    fn note(&self, request: &Request, answer: &Answer) {
        let pod = ["/metadata/name", "/metadata/generateName"].into_iter().find_map(|path| request.pod.pointer(path));
        let pod = pod.and_then(Value::as_str).unwrap_or_default();
        let namespace = &request.namespace;
        match answer {
            Answer::Changed(_) => {
                tracing::info!(namespace, pod, "A pod was given its agent");
                self.metrics.admitted(Admission::Injected);
            }
            Answer::Untouched { .. } => {
                tracing::debug!(namespace, pod, "A pod was admitted as it is");
                self.metrics.admitted(Admission::Untouched);
            }
            Answer::Refused(reason) => {
                tracing::info!(namespace, pod, reason, "A pod was refused");
                self.metrics.admitted(Admission::Refused);
            }
        }
    }
}

/// What happens to a pod that no group selects: one that asked by its own label would otherwise run
/// without protection for good, because its group came a moment later.
fn ungrouped(request: &Request, own: OptIn) -> Answer {
    if own != OptIn::Enabled {
        return Answer::Untouched { warning: None };
    }
    Answer::Refused(format!(
        "no HandoffGroup in namespace {} selects this pod, although its label {}={} asks for an agent: create a HandoffGroup whose selector matches the pod's labels, or remove the label. The pod's controller tries again by itself.",
        request.namespace,
        label::INJECT,
        label::INJECT_ENABLED,
    ))
}
