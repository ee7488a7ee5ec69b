//! Objects for tests, as the API server would send them.

use baton_crds::handoff::Handoff;
use baton_crds::{HandoffGroup, Membership};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The moment at which tests look.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a time")
}

/// An object.
pub(crate) fn object<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).expect("an object of this kind")
}

/// The group `web` of three pods, with these conditions: `(type, status, reason)`.
pub(crate) fn group(conditions: &[(&str, &str, &str)]) -> HandoffGroup {
    let condition = |(kind, status, reason): &(&str, &str, &str)| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": format!("Says why {kind} is {status}."),
            "lastTransitionTime": "2026-11-21T11:00:00Z", "observedGeneration": 2,
        })
    };
    object(json!({
        "apiVersion": "baton.dev/v1alpha1",
        "kind": "HandoffGroup",
        "metadata": {"name": "web", "namespace": "shop", "generation": 2, "creationTimestamp": "2026-11-20T12:00:00Z"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {
            "observedGeneration": 2, "members": 3, "inSync": 2, "draining": 1, "keys": 1204, "bytes": 3_250_000,
            "lastHandoff": {"pod": "web-1", "outcome": "Acknowledged", "at": "2026-11-21T11:58:00Z"},
            "workloads": [{"kind": "Deployment", "name": "web", "drainedGeneration": 7}],
            "conditions": conditions.iter().map(condition).collect::<Vec<_>>(),
        },
    }))
}

/// The conditions of a group that is as it should be.
pub(crate) const HEALTHY: [(&str, &str, &str); 5] = [
    ("Ready", "True", "MembersReady"),
    ("InSync", "True", "AllInSync"),
    ("HandoffSafe", "True", "SurvivorsAvailable"),
    ("Drained", "True", "NobodyLeaving"),
    ("Degraded", "False", "AsExpected"),
];

/// The member list of `web`: `(replica, pod, phase)`, all made by `controller`.
pub(crate) fn membership(controller: &str, rows: &[(u64, &str, &str)]) -> Membership {
    let row = |(replica, pod, phase): &(u64, &str, &str)| {
        json!({
            "replica": format!("{replica:016x}"), "podName": pod, "podUid": format!("uid-{pod}"), "node": "node-1",
            "controller": controller, "revision": 4, "address": "10.0.0.1:7072", "phase": phase, "heldState": true,
        })
    };
    object(json!({
        "apiVersion": "baton.dev/v1alpha1",
        "kind": "Membership",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"number": 12, "members": rows.iter().map(row).collect::<Vec<_>>()},
    }))
}

/// The record of how a pod left, so many minutes ago.
pub(crate) fn handoff(pod: &str, minutes: i64, acknowledged: &str, reason: &str) -> Handoff {
    let at = now() - k8s_openapi::jiff::SignedDuration::from_mins(minutes);
    let outcome = match acknowledged {
        "True" => "Acknowledged",
        "False" => "Failed",
        _ => "Unknown",
    };
    object(json!({
        "apiVersion": "baton.dev/v1alpha1",
        "kind": "Handoff",
        "metadata": {"name": format!("{pod}-1"), "namespace": "shop", "uid": format!("record-{pod}-{minutes}")},
        "spec": {
            "group": "web", "podName": pod, "podUid": format!("uid-{pod}"), "replica": "0000000000000001",
            "reason": "PodDeleted",
        },
        "status": {
            "outcome": outcome, "at": at, "keys": 40, "bytes": 4096, "holdMillis": 12, "tailMillis": 3,
            "keysUnacknowledged": if outcome == "Failed" { 7 } else { 0 }, "survivors": ["web-8", "web-9"],
            "conditions": [{
                "type": "Acknowledged", "status": acknowledged, "reason": reason, "message": format!("Pod {pod} left."),
                "lastTransitionTime": at,
            }],
        },
    }))
}

/// A ready pod of the group `web` with an agent of this image.
pub(crate) fn pod(name: &str, image: &str) -> Pod {
    object(json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-{name}"), "creationTimestamp": "2026-11-21T11:30:00Z",
            "labels": {"app": "web", "baton.dev/group": "web"},
        },
        "spec": {
            "nodeName": "node-1",
            "terminationGracePeriodSeconds": 30,
            "initContainers": [{"name": "baton-agent", "image": image, "restartPolicy": "Always"}],
            "containers": [{"name": "web", "image": "web:1"}],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "initContainerStatuses": [{
                "name": "baton-agent", "image": image, "imageID": "", "ready": true, "started": true, "restartCount": 0,
            }],
        },
    }))
}
