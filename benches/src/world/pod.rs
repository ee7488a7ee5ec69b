//! Pods as an API server shows them: with all that an ordinary Deployment, the injector and the kubelet put there, some
//! 8 kB each.

use baton_crds::label;
use serde_json::{Value, json};

use crate::crowd::Pod;

/// Who has written which fields: about half of what a real pod's object says.
const MANAGERS: usize = 4;

/// The object.
pub(super) fn object(pod: &Pod, ready: bool) -> Value {
    let Pod { namespace, group, name, uid, node, .. } = pod;
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": namespace, "name": name, "uid": uid,
            "generateName": format!("{group}-7c5ddbdf54-"),
            "labels": {"app": group, label::GROUP: group, label::INJECT: label::INJECT_ENABLED, "pod-template-hash": "7c5ddbdf54"},
            "annotations": {label::INJECTED: "registry.example.org/baton/agent:0.1.0"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{group}-7c5ddbdf54"),
                "uid": "0f0e7fd5-0f6b-4d0c-8b5c-2f6f3f1c9d11", "controller": true, "blockOwnerDeletion": true}],
            "managedFields": managed(),
        },
        "spec": {
            "nodeName": node,
            "serviceAccountName": "default",
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "initContainers": [container(label::AGENT_CONTAINER, Some("Always"))],
            "containers": [container("app", None)],
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
            "volumes": [
                {"name": "baton-token", "projected": {"sources": [{"serviceAccountToken": {"audience": "baton.dev/operator", "path": "token"}}]}},
                {"name": "baton-roots", "configMap": {"name": "baton-roots", "optional": true}},
                {"name": "baton-run", "emptyDir": {"medium": "Memory"}}],
        },
        "status": status(pod, ready),
    })
}

/// What the kubelet says.
pub(super) fn status(pod: &Pod, ready: bool) -> Value {
    let state = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
    let said = |name: &str| {
        json!({"name": name, "image": "registry.example.org/shop/app:1.2.3", "imageID": "sha256:c0ffee", "ready": ready,
            "restartCount": 0, "started": ready, "state": state})
    };
    let condition = |kind: &str| json!({"type": kind, "status": if ready { "True" } else { "False" }, "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    let ip = pod.address.trim_end_matches(":7072");
    json!({
        "phase": if ready { "Running" } else { "Pending" },
        "qosClass": "Burstable", "podIP": ip, "podIPs": [{"ip": ip}],
        "conditions": conditions,
        "initContainerStatuses": [said(label::AGENT_CONTAINER)],
        "containerStatuses": [said("app")],
    })
}

/// The same once the containers have ended.
pub(super) fn ended(pod: &Pod, replica: u64) -> Value {
    let message = json!({"replica": format!("{replica:016x}"), "outcome": "acknowledged", "keys": 1});
    let mut status = status(pod, false);
    status["phase"] = "Running".into();
    status["initContainerStatuses"][0]["state"] =
        json!({"terminated": {"exitCode": 0, "message": message.to_string()}});
    status
}

fn container(name: &str, restarts: Option<&str>) -> Value {
    let probe = json!({"httpGet": {"path": "/readyz", "port": 7073}, "periodSeconds": 1, "failureThreshold": 3});
    let field = |path: &str| json!({"name": path.to_uppercase(), "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let env = ["metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "status.podIP"].map(field);
    json!({
        "name": name,
        "image": "registry.example.org/shop/app:1.2.3",
        "imagePullPolicy": "IfNotPresent",
        "restartPolicy": restarts,
        "env": env,
        "ports": [{"name": "peer", "containerPort": 7072}, {"name": "admin", "containerPort": 7073}],
        "readinessProbe": probe, "startupProbe": probe, "livenessProbe": probe,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "baton-token", "mountPath": "/var/run/secrets/baton"}, {"name": "baton-run", "mountPath": "/run/baton"}],
    })
}

fn managed() -> Value {
    let fields: Value = (0..30).map(|field| (format!("f:field-{field}"), json!({".": {}, "f:value": {}}))).collect();
    let manager = json!({"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "time": "2026-01-01T00:00:00Z", "fieldsV1": fields});
    vec![manager; MANAGERS].into()
}
