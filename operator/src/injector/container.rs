//! The agent's container, its volume, and what app containers are told.

use baton_crds::label;
use serde_json::{Map, Value, json};

use super::Injection;
use crate::identity::{AUDIENCE, ROOTS};

/// The volume with the agent's control socket; only the agent mounts it.
const RUN: &str = "baton-run";

/// The volume with the socket of the app's API: the agent makes it, and the app's containers use it.
pub(super) const SOCKET: &str = "baton-socket";

/// Where app containers see it.
pub(super) const SOCKET_PATH: &str = "/run/baton";

/// What tells them so.
pub(super) const SOCKET_FILE: (&str, &str) = ("BATON_SOCKET", "/run/baton/baton.sock");

/// Where the agent makes it.
const AGENT_SOCKET_PATH: &str = "/run/baton-app";

/// The volume with what the agent proves by who it is, and with the CAs that it trusts; only the agent mounts it.
const IDENTITY: &str = "baton-identity";

/// Where the agent looks for the latter.
const IDENTITY_PATH: &str = "/var/run/secrets/baton.dev";

/// How long a token is valid; the kubelet renews it in time. It is needed at the start, and then twice a day.
const TOKEN_SECONDS: u32 = 3_600;

/// Where app containers reach their agent.
pub(super) const URL: (&str, &str) = ("BATON_URL", "http://127.0.0.1:7070");

/// The same for gRPC; the agent is told where to listen by it.
pub(super) const GRPC: (&str, &str) = ("BATON_GRPC", "127.0.0.1:7071");

/// Where the agent is a Redis for app containers.
const REDIS: &str = "127.0.0.1:6379";

/// What tells them so.
pub(super) const REDIS_URL: (&str, &str) = ("BATON_REDIS", "redis://127.0.0.1:6379");

/// The same on a socket.
pub(super) const REDIS_SOCKET: (&str, &str) = ("BATON_REDIS_SOCKET", "/run/baton/redis.sock");

/// The port that other agents need.
pub(crate) const PEER: u16 = 7072;

/// The port of probes and scrapes.
pub(crate) const ADMIN: u16 = 7073;

/// The user of the agent's image, for pods that otherwise run as root.
const USER: u32 = 65_532;

/// A day: the startup probe never kills, because that would throw the bootstrap away.
const NEVER: u32 = 86_400;

/// The agent's container as a native sidecar.
pub(crate) fn agent(injection: &Injection, grace_seconds: u64, pod_runs_as_root: bool) -> Value {
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
        "volumeMounts": [
            { "name": RUN, "mountPath": "/run/baton" },
            { "name": IDENTITY, "mountPath": IDENTITY_PATH, "readOnly": true },
            { "name": SOCKET, "mountPath": AGENT_SOCKET_PATH },
        ],
    })
}

/// The agent's volumes.
pub(crate) fn volumes() -> [Value; 3] {
    let (roots, key) = ROOTS;
    let token = json!({ "audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token" });
    let sources = json!([
        { "serviceAccountToken": token },
        { "configMap": { "name": roots, "items": [{ "key": key, "path": key }] } },
    ]);
    [
        json!({ "name": RUN, "emptyDir": {} }),
        json!({ "name": IDENTITY, "projected": { "sources": sources } }),
        json!({ "name": SOCKET, "emptyDir": {} }),
    ]
}

fn environment(injection: &Injection, grace_seconds: u64) -> Value {
    let field = |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": path } } });
    let value = |name: &str, value: String| json!({ "name": name, "value": value });
    let mut all = vec![
        field("BATON_POD_NAME", "metadata.name"),
        field("BATON_POD_UID", "metadata.uid"),
        field("BATON_NAMESPACE", "metadata.namespace"),
        field("BATON_NODE", "spec.nodeName"),
        field("BATON_POD_IP", "status.podIP"),
        value("BATON_OPERATOR", injection.operator.clone()),
        value("BATON_IDENTITY", IDENTITY_PATH.into()),
        value("BATON_GROUP", injection.group.clone()),
        value("BATON_GRACE_SECONDS", grace_seconds.to_string()),
        value(GRPC.0, GRPC.1.into()),
        value("BATON_HTTP_SOCKET", format!("{AGENT_SOCKET_PATH}/baton.sock")),
        value(REDIS_URL.0, REDIS.into()),
        value(REDIS_SOCKET.0, format!("{AGENT_SOCKET_PATH}/redis.sock")),
        value("BATON_SHARDS", injection.shards.to_string()),
        value("BATON_LOG", injection.log.clone()),
        value("BATON_LOG_FORMAT", "json".into()),
    ];
    all.extend(injection.traces.iter().map(|collector| value("BATON_TRACES", collector.clone())));
    Value::Array(all)
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
