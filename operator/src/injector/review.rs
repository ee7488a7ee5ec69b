//! The border of the webhook: an AdmissionReview in, an AdmissionReview out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The only version that is spoken.
const API_VERSION: &str = "admission.k8s.io/v1";

/// A request to admit a pod.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub(super) uid: String,
    pub(super) namespace: String,
    pub(super) pod: Value,
    pub(super) labels: BTreeMap<String, String>,
}

/// The answer to a request.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// The pod is admitted as it is, with a warning to whoever made it if there is one.
    Untouched { warning: Option<String> },
    /// The pod is admitted as this one.
    Changed(Value),
    /// The pod is not admitted, for this reason.
    Refused(String),
}

/// Why something is no request to admit a pod.
#[derive(Debug, thiserror::Error)]
pub(super) enum Garbage {
    #[error("the body is no AdmissionReview: {0}")]
    NoReview(#[from] serde_json::Error),
    #[error("the apiVersion is {0:?}, and only admission.k8s.io/v1 is spoken here")]
    Version(String),
    #[error("the kind is {0:?} instead of AdmissionReview")]
    Kind(String),
    #[error("the AdmissionReview has no request")]
    NoRequest,
    #[error("the request has no uid")]
    NoUid,
    #[error("the request is not about a pod: its object has kind {0:?}")]
    NoPod(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    request: Option<RawRequest>,
}

#[derive(Deserialize)]
struct RawRequest {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    object: Value,
}

#[derive(Deserialize)]
struct Labelled {
    #[serde(default)]
    metadata: Labels,
}

#[derive(Default, Deserialize)]
struct Labels {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Reads a request.
pub(super) fn read(body: &[u8]) -> Result<Request, Garbage> {
    let review: Review = serde_json::from_slice(body)?;
    if review.kind != "AdmissionReview" {
        return Err(Garbage::Kind(cut(review.kind)));
    }
    if review.api_version != API_VERSION {
        return Err(Garbage::Version(cut(review.api_version)));
    }
    let request = review.request.ok_or(Garbage::NoRequest)?;
    if request.uid.is_empty() {
        return Err(Garbage::NoUid);
    }
    let kind = request.object.get("kind").and_then(Value::as_str).unwrap_or_default();
    if kind != "Pod" {
        return Err(Garbage::NoPod(cut(kind.to_owned())));
    }
    let labelled = Labelled::deserialize(&request.object)?;
    Ok(Request {
        uid: request.uid,
        namespace: request.namespace,
        labels: labelled.metadata.labels.unwrap_or_default(),
        pod: request.object,
    })
}

/// Writes the answer to a request.
pub(super) fn write(request: &Request, answer: Answer) -> Result<Value, serde_json::Error> {
    let allowed = Response {
        uid: &request.uid,
        allowed: true,
        patch_type: None,
        patch: None,
        status: None,
        warnings: Vec::new(),
    };
    let response = match answer {
        Answer::Untouched { warning } => Response { warnings: warning.into_iter().collect(), ..allowed },
        Answer::Changed(pod) => {
            let patch = json_patch::diff(&request.pod, &pod);
            if patch.0.is_empty() {
                allowed
            } else {
                let patch = base64(&serde_json::to_vec(&patch)?);
                Response { patch_type: Some("JSONPatch"), patch: Some(patch), ..allowed }
            }
        }
        Answer::Refused(message) => {
            let status = json!({ "code": 403, "reason": "Forbidden", "message": message });
            Response { allowed: false, status: Some(status), ..allowed }
        }
    };
    Ok(json!({ "apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response }))
}

/// Bytes in JSON are base64.
fn base64(bytes: &[u8]) -> String {
    let encoded = serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec())).ok();
    encoded.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn cut(text: String) -> String {
    text.chars().take(64).collect()
}
