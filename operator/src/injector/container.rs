//! The agent's container, its volume, and what app containers are told.

use baton_crds::label;
use serde_json::{Map, Value, json};

use super::Injection;

/// The volume with the agent's control socket; only the agent mounts it.
pub(super) const VOLUME: &str = "baton-run";

/// Where app containers reach their agent.
pub(super) const URL: (&str, &str) = ("BATON_URL", "http://127.0.0.1:7070");

/// The port that other agents need.
const PEER: u16 = 7072;

/// The port of probes and scrapes.
const ADMIN: u16 = 7073;

/// The user of the agent's image, for pods that otherwise run as root.
const USER: u32 = 65_532;

/// A day: the startup probe never kills, because that would throw the bootstrap away.
const NEVER: u32 = 86_400;

/// The agent's container as a native sidecar.
pub(super) fn agent(injection: &Injection, grace_seconds: u64, pod_runs_as_root: bool) -> Value {
    let mut security = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    if pod_runs_as_root {
        security["runAsUser"] = json!(USER);
    }
    json!({
        "name": label::AGENT_CONTAINER,
        "image": injection.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["run"],
        "restartPolicy": "Always",
        "env": environment(injection, grace_seconds),
        "ports": [
            { "name": "baton-peer", "containerPort": PEER, "protocol": "TCP" },
            { "name": "baton-admin", "containerPort": ADMIN, "protocol": "TCP" },
        ],
        "startupProbe": { "httpGet": { "path": "/startupz", "port": ADMIN }, "periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": NEVER },
        "readinessProbe": { "httpGet": { "path": "/readyz", "port": ADMIN }, "periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": 3 },
        "livenessProbe": { "httpGet": { "path": "/livez", "port": ADMIN }, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6 },
        "lifecycle": { "preStop": { "exec": { "command": ["/baton-agent", "drain"] } } },
        "resources": resources(injection),
        "securityContext": security,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [{ "name": VOLUME, "mountPath": "/run/baton" }],
    })
}

/// The volume with the agent's control socket.
pub(super) fn volume() -> Value {
    json!({ "name": VOLUME, "emptyDir": {} })
}

fn environment(injection: &Injection, grace_seconds: u64) -> Value {
    let field = |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": path } } });
    let value = |name: &str, value: String| json!({ "name": name, "value": value });
    json!([
        field("BATON_POD_NAME", "metadata.name"),
        field("BATON_POD_UID", "metadata.uid"),
        field("BATON_NAMESPACE", "metadata.namespace"),
        field("BATON_NODE", "spec.nodeName"),
        field("BATON_POD_IP", "status.podIP"),
        value("BATON_OPERATOR", injection.operator.clone()),
        value("BATON_GROUP", injection.group.clone()),
        value("BATON_GRACE_SECONDS", grace_seconds.to_string()),
        value("BATON_SHARDS", injection.shards.to_string()),
        value("BATON_LOG", injection.log.clone()),
        value("BATON_LOG_FORMAT", "json".into()),
    ])
}

fn resources(injection: &Injection) -> Value {
    let Some(resources) = &injection.resources else {
        // No limits: an agent that is killed for memory in the middle of a handoff loses its tail.
        return json!({ "requests": { "cpu": "10m", "memory": "32Mi" } });
    };
    let mut object = Map::new();
    for (name, amounts) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        if !amounts.is_empty() {
            object.insert(name.into(), json!(amounts));
        }
    }
    Value::Object(object)
}
