//! The arena's own manifests, as far as scenarios change them, and where its pods serve.

use serde_json::{Value, json};

use crate::pod::Pod;

/// The label `app` of the arena's pods, and the name of all its objects.
pub const NAME: &str = "arena";
/// The file with one URL per line: what a Service's endpoints are.
pub const TARGETS: &str = "targets";
/// How long a server goes on after SIGTERM, in seconds. Longer than a crowd takes to hear that it is no target.
pub(crate) const STOP_DELAY: &str = "1.5";
/// Longer than any grace period.
const NEVER: &str = "600";

/// What a scenario wants.
#[derive(Debug, Clone)]
pub struct Arena {
    /// Pods of the Deployment.
    pub replicas: u32,
    /// The spec of the HandoffGroup besides its selector.
    pub group: Value,
    /// The Deployment's strategy, if it is not the manifest's own.
    pub strategy: Option<Value>,
    /// The servers take no notice of SIGTERM.
    pub stubborn: bool,
    /// What makes the servers.
    pub workload: Workload,
}

/// What makes pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// As the manifest says.
    Deployment,
    /// In its place, with as many pods.
    StatefulSet,
    /// In its place, with a pod on each node.
    DaemonSet,
}

// === impl Arena ===

impl Arena {
    /// So many pods, and a HandoffGroup that says nothing but its selector.
    pub fn of(replicas: u32) -> Self {
        Self { replicas, group: json!({}), strategy: None, stubborn: false, workload: Workload::Deployment }
    }

    /// How many keepers the HandoffGroup asks for.
    pub fn keepers(&self) -> usize {
        self.group["keepers"]["replicas"].as_u64().unwrap_or(0) as usize
    }

    /// The manifests, changed.
    pub fn objects(&self, manifests: &[Value]) -> Vec<Value> {
        manifests.iter().cloned().map(|object| self.change(object)).collect()
    }

    fn change(&self, mut object: Value) -> Value {
        match object["kind"].as_str() {
            Some("Deployment") => {
                object["spec"]["replicas"] = json!(self.replicas);
                let container = &mut object["spec"]["template"]["spec"]["containers"][0];
                let delay = if self.stubborn { NEVER } else { STOP_DELAY };
                container["env"] = json!([{"name": "ARENA_STOP_DELAY", "value": delay}]);
                if let Some(strategy) = &self.strategy {
                    object["spec"]["strategy"] = strategy.clone();
                }
                self.workload.change(&mut object);
            }
            Some("HandoffGroup") => {
                for (field, value) in self.group.as_object().into_iter().flatten() {
                    object["spec"][field] = value.clone();
                }
            }
            _ => {}
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            // kubectl writes it out; apply refuses it.
            metadata.remove("creationTimestamp");
            metadata.remove("namespace");
        }
        object
    }
}

// === impl Workload ===

impl Workload {
    /// Its kind.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }

    /// Makes it of a Deployment.
    fn change(self, deployment: &mut Value) {
        deployment["kind"] = json!(self.kind());
        let without: &[&str] = match self {
            Self::Deployment => &[],
            Self::StatefulSet => &["strategy"],
            Self::DaemonSet => &["strategy", "replicas"],
        };
        if let Some(spec) = deployment["spec"].as_object_mut() {
            without.iter().for_each(|field| drop(spec.remove(*field)));
        }
        if self == Self::StatefulSet {
            deployment["spec"]["serviceName"] = json!("arena-pods");
        }
    }
}

/// The base URLs of the servers among some pods.
pub fn urls<'a>(pods: impl Iterator<Item = &'a Pod>) -> Vec<String> {
    let servers = pods.filter(|pod| pod.label("app") == Some(NAME) && !pod.ip().is_empty());
    servers.map(|pod| format!("http://{}:8080", pod.ip())).collect()
}
