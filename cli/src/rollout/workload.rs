//! What is restarted: a Deployment, a StatefulSet or a DaemonSet.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::cluster::Cluster;
use crate::failure::Failure;

/// What kubectl writes into the pod template.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// A workload by its kind and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    kind: Kind,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
}

/// What the API server says of a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) generation: i64,
    /// The generation that its controller has seen.
    pub(crate) observed: i64,
    pub(crate) replicas: i32,
    /// Pods of the newest revision.
    pub(crate) updated: i32,
    /// Pods that are ready, of whatever revision.
    pub(crate) ready: i32,
    /// The labels of its pods.
    pub(crate) labels: BTreeMap<String, String>,
    /// Whether a restart would change nothing for now.
    pub(crate) paused: bool,
    /// Whether its controller leaves old pods alone.
    pub(crate) on_delete: bool,
    /// What its controller complains about.
    pub(crate) complaint: Option<String>,
}

// === impl Workload ===

impl Workload {
    /// `Deployment/web`, as the operator names it.
    pub(crate) fn key(&self) -> String {
        format!("{:?}/{}", self.kind, self.name)
    }

    /// Reads it.
    pub(super) async fn facts(&self, cluster: &Cluster) -> Result<Facts, Failure> {
        let facts = match self.kind {
            Kind::Deployment => {
                cluster.api::<Deployment>().get_opt(&self.name).await.map(|it| it.as_ref().map(Facts::from))
            }
            Kind::StatefulSet => {
                cluster.api::<StatefulSet>().get_opt(&self.name).await.map(|it| it.as_ref().map(Facts::from))
            }
            Kind::DaemonSet => {
                cluster.api::<DaemonSet>().get_opt(&self.name).await.map(|it| it.as_ref().map(Facts::from))
            }
        };
        let facts = facts.map_err(|error| Failure::of(&error, &format!("read {self}")))?;
        facts.ok_or_else(|| Failure::new(format!("there is no {self} in namespace {}", cluster.namespace)).lasting())
    }

    /// Changes the pod template, and answers the generation that this made.
    pub(super) async fn restart(&self, cluster: &Cluster, now: Timestamp) -> Result<i64, Failure> {
        let annotations = json!({ RESTARTED_AT: now.to_string() });
        let patch = Patch::Strategic(json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } }));
        let params = PatchParams::default();
        let patched = match self.kind {
            Kind::Deployment => {
                let api = cluster.api::<Deployment>();
                api.patch(&self.name, &params, &patch).await.map(|workload| workload.metadata)
            }
            Kind::StatefulSet => {
                let api = cluster.api::<StatefulSet>();
                api.patch(&self.name, &params, &patch).await.map(|workload| workload.metadata)
            }
            Kind::DaemonSet => {
                let api = cluster.api::<DaemonSet>();
                api.patch(&self.name, &params, &patch).await.map(|workload| workload.metadata)
            }
        };
        let metadata = patched.map_err(|error| Failure::of(&error, &format!("restart {self}")))?;
        metadata
            .generation
            .ok_or_else(|| Failure::new(format!("{self} was restarted, but has no generation to wait for")))
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Deployment => "deployment.apps",
            Kind::StatefulSet => "statefulset.apps",
            Kind::DaemonSet => "daemonset.apps",
        };
        write!(f, "{kind}/{}", self.name)
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once('/').ok_or("write KIND/NAME, for example deployment/web")?;
        let kind = match kind.to_lowercase().trim_end_matches(".apps") {
            "deployment" | "deployments" | "deploy" => Kind::Deployment,
            "statefulset" | "statefulsets" | "sts" => Kind::StatefulSet,
            "daemonset" | "daemonsets" | "ds" => Kind::DaemonSet,
            other => return Err(format!("{other:?} is none of deployment, statefulset and daemonset")),
        };
        if name.is_empty() || name.contains('/') {
            return Err("write KIND/NAME with one name, for example deployment/web".to_owned());
        }
        Ok(Self { kind, name: name.to_owned() })
    }
}

// === impl Facts ===

impl Facts {
    /// Refuses a restart that would do nothing.
    pub(super) fn ensure_restartable(&self, workload: &Workload, wait: bool) -> Result<(), Failure> {
        if self.paused {
            return Err(Failure::new(format!("{workload} is paused: nothing was restarted"))
                .hint(format!("run `kubectl rollout resume {workload}` first")));
        }
        if self.on_delete && wait {
            return Err(Failure::new(format!("{workload} has the update strategy OnDelete: nothing was restarted"))
                .hint(
                    "its old pods stay until somebody deletes them; restart without --wait, and delete them one by one",
                ));
        }
        Ok(())
    }
}

impl From<&Deployment> for Facts {
    fn from(deployment: &Deployment) -> Self {
        let spec = deployment.spec.as_ref();
        let status = deployment.status.clone().unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let complains = |kind: &str, bad: &str| {
            let found = conditions.iter().find(|one| one.type_ == kind && one.status == bad)?;
            found.message.clone().or_else(|| found.reason.clone())
        };
        Self {
            generation: deployment.metadata.generation.unwrap_or_default(),
            observed: status.observed_generation.unwrap_or_default(),
            replicas: spec.and_then(|spec| spec.replicas).unwrap_or(1),
            updated: status.updated_replicas.unwrap_or_default(),
            ready: status.ready_replicas.unwrap_or_default(),
            labels: spec.and_then(|spec| spec.template.metadata.as_ref()?.labels.clone()).unwrap_or_default(),
            paused: spec.and_then(|spec| spec.paused).unwrap_or_default(),
            on_delete: false,
            complaint: complains("ReplicaFailure", "True").or_else(|| complains("Progressing", "False")),
        }
    }
}

impl From<&StatefulSet> for Facts {
    fn from(set: &StatefulSet) -> Self {
        let spec = set.spec.as_ref();
        let status = set.status.clone().unwrap_or_default();
        let strategy = spec.and_then(|spec| spec.update_strategy.as_ref()?.type_.as_deref());
        // After a rollout the controller counts no updated pods, but all as current ones.
        let over = status.current_revision == status.update_revision;
        let updated = if over { status.current_replicas } else { status.updated_replicas };
        Self {
            generation: set.metadata.generation.unwrap_or_default(),
            observed: status.observed_generation.unwrap_or_default(),
            replicas: spec.and_then(|spec| spec.replicas).unwrap_or(1),
            updated: updated.unwrap_or_default(),
            ready: status.ready_replicas.unwrap_or_default(),
            labels: spec.and_then(|spec| spec.template.metadata.as_ref()?.labels.clone()).unwrap_or_default(),
            paused: false,
            on_delete: strategy == Some("OnDelete"),
            complaint: None,
        }
    }
}

impl From<&DaemonSet> for Facts {
    fn from(set: &DaemonSet) -> Self {
        let spec = set.spec.as_ref();
        let status = set.status.clone().unwrap_or_default();
        let strategy = spec.and_then(|spec| spec.update_strategy.as_ref()?.type_.as_deref());
        Self {
            generation: set.metadata.generation.unwrap_or_default(),
            observed: status.observed_generation.unwrap_or_default(),
            replicas: status.desired_number_scheduled,
            updated: status.updated_number_scheduled.unwrap_or_default(),
            ready: status.number_ready,
            labels: spec.and_then(|spec| spec.template.metadata.as_ref()?.labels.clone()).unwrap_or_default(),
            paused: false,
            on_delete: strategy == Some("OnDelete"),
            complaint: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::object;

    #[test]
    fn workloads_are_named_as_kubectl_names_them() {
        for text in ["deployment/web", "deploy/web", "deployments/web", "deployment.apps/web", "Deployment/web"] {
            let workload: Workload = text.parse().expect(text);
            assert_eq!(
                (workload.key().as_str(), workload.to_string().as_str()),
                ("Deployment/web", "deployment.apps/web")
            );
        }
        assert_eq!("sts/db".parse::<Workload>().expect("a set").key(), "StatefulSet/db");
        assert_eq!("ds/cache".parse::<Workload>().expect("a set").to_string(), "daemonset.apps/cache");
        for text in ["web", "pod/web", "deployment/", "deployment/a/b"] {
            assert!(text.parse::<Workload>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_restart_that_would_do_nothing_is_refused() {
        let workload: Workload = "deployment/web".parse().expect("a workload");
        let refused = |facts: Facts, wait| facts.ensure_restartable(&workload, wait).is_err();
        assert!(refused(Facts { paused: true, ..Facts::default() }, false));
        assert!(refused(Facts { on_delete: true, ..Facts::default() }, true));
        assert!(!refused(Facts { on_delete: true, ..Facts::default() }, false));
        assert!(!refused(Facts::default(), true));
    }

    #[test]
    fn a_deployment_says_how_far_it_is_and_what_hinders_it() {
        let deployment: Deployment = object(json!({
            "metadata": {"generation": 8},
            "spec": {
                "replicas": 3,
                "selector": {},
                "template": {"metadata": {"labels": {"app": "web"}}},
            },
            "status": {
                "observedGeneration": 7, "updatedReplicas": 1, "readyReplicas": 3,
                "conditions": [{"type": "Progressing", "status": "False", "message": "has timed out progressing"}],
            },
        }));
        let facts = Facts::from(&deployment);
        assert_eq!((facts.generation, facts.observed, facts.replicas, facts.updated, facts.ready), (8, 7, 3, 1, 3));
        assert_eq!(facts.labels["app"], "web");
        assert_eq!(facts.complaint.as_deref(), Some("has timed out progressing"));
    }

    #[test]
    fn a_daemon_set_has_a_pod_on_each_node_that_wants_one() {
        let set: DaemonSet = object(json!({
            "metadata": {"generation": 5},
            "spec": {"selector": {}, "template": {}, "updateStrategy": {"type": "RollingUpdate"}},
            "status": {
                "observedGeneration": 5, "desiredNumberScheduled": 4, "currentNumberScheduled": 4,
                "updatedNumberScheduled": 1, "numberReady": 3, "numberMisscheduled": 0,
            },
        }));
        let facts = Facts::from(&set);
        assert_eq!((facts.generation, facts.replicas, facts.updated, facts.ready), (5, 4, 1, 3));
        assert!(!facts.on_delete);
    }

    #[test]
    fn a_stateful_set_whose_rollout_is_over_counts_all_its_pods_as_new() {
        let set = |current: &str| -> StatefulSet {
            object(json!({
                "metadata": {"generation": 2},
                "spec": {
                    "replicas": 2, "selector": {}, "serviceName": "db", "template": {},
                    "updateStrategy": {"type": "OnDelete"},
                },
                "status": {
                    "replicas": 2, "currentReplicas": 2, "updatedReplicas": 1,
                    "currentRevision": current, "updateRevision": "b",
                },
            }))
        };
        assert_eq!((Facts::from(&set("a")).updated, Facts::from(&set("b")).updated), (1, 2));
        assert!(Facts::from(&set("a")).on_delete);
    }
}
