//! What the operator keeps of a Deployment, StatefulSet or DaemonSet: whether its rollout is over, and whether its pods
//! overlap.

use std::collections::BTreeMap;

use baton_crds::HandoffGroup;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use kube::Resource;

use super::PodView;

/// The annotation of a Deployment, and of its ReplicaSets, with their revision.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";

/// The label that a StatefulSet's pods have of their revision.
const REVISION_HASH: &str = "controller-revision-hash";

/// What makes pods, and replaces them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadFacts {
    /// `Deployment`, `StatefulSet` or `DaemonSet`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The UID of the HandoffGroup that it is a part of: its pods are the group's keepers.
    pub group: Option<String>,
    /// The labels of the pods that it makes.
    pub labels: BTreeMap<String, String>,
    /// The generation of its spec.
    pub generation: i64,
    /// How many pods it shall have.
    pub replicas: i64,
    /// The newest revision, as its pods name it.
    pub revision: Revision,
    /// Whether its controller has seen the generation and made all pods of it.
    pub is_rolled_out: bool,
    /// Whether a new pod is there before the last old one goes, in a rollout.
    pub overlaps: bool,
}

/// A revision of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revision {
    /// A Deployment's or a DaemonSet's.
    Number(u64),
    /// A StatefulSet's.
    Hash(String),
}

// === impl WorkloadFacts ===

impl WorkloadFacts {
    /// What is kept of a Deployment, and its namespace.
    pub fn of_deployment(deployment: Deployment) -> Option<(String, Self)> {
        let (meta, spec) = (deployment.metadata, deployment.spec?);
        let status = deployment.status.unwrap_or_default();
        let (generation, replicas) = (meta.generation.unwrap_or_default(), i64::from(spec.replicas.unwrap_or(1)));
        let is = |count: Option<i32>| i64::from(count.unwrap_or_default()) == replicas;
        let revision = meta.annotations.as_ref().and_then(|all| all.get(REVISION)?.parse().ok());
        let strategy = spec.strategy.unwrap_or_default();
        let rolling = strategy.rolling_update.unwrap_or_default();
        let surge = share(rolling.max_surge.as_ref(), replicas, Round::Up);
        let missing = share(rolling.max_unavailable.as_ref(), replicas, Round::Down);
        let facts = Self {
            kind: "Deployment",
            group: None,
            uid: meta.uid.unwrap_or_default(),
            name: meta.name?,
            labels: spec.template.metadata.and_then(|meta| meta.labels).unwrap_or_default(),
            generation,
            replicas,
            revision: Revision::Number(revision.unwrap_or_default()),
            is_rolled_out: status.observed_generation.is_some_and(|seen| seen >= generation)
                && is(status.updated_replicas)
                && is(status.replicas),
            // Of no surge and none missing, Kubernetes makes one missing.
            overlaps: strategy.type_.as_deref() != Some("Recreate") && (surge > 0 || missing.max(1) < replicas),
        };
        Some((meta.namespace?, facts))
    }

    /// What is kept of a StatefulSet, and its namespace.
    pub fn of_stateful_set(set: StatefulSet) -> Option<(String, Self)> {
        let (meta, spec) = (set.metadata, set.spec?);
        let status = set.status.unwrap_or_default();
        let (generation, replicas) = (meta.generation.unwrap_or_default(), i64::from(spec.replicas.unwrap_or(1)));
        let updated = i64::from(status.updated_replicas.unwrap_or_default()) == replicas;
        // A StatefulSet that is not in a rollout does not count its pods as updated.
        let settled = status.current_revision == status.update_revision || updated;
        let facts = Self {
            kind: "StatefulSet",
            group: group(meta.owner_references.iter().flatten()),
            uid: meta.uid.unwrap_or_default(),
            name: meta.name?,
            labels: spec.template.metadata.and_then(|meta| meta.labels).unwrap_or_default(),
            generation,
            replicas,
            revision: Revision::Hash(status.update_revision.unwrap_or_default()),
            is_rolled_out: status.observed_generation.is_some_and(|seen| seen >= generation)
                && i64::from(status.replicas) == replicas
                && settled,
            // It replaces one pod at a time, and a pod's name is free only when its last bearer is gone.
            overlaps: replicas > 1,
        };
        Some((meta.namespace?, facts))
    }

    /// What is kept of a DaemonSet, and its namespace. It does not say which revision is its newest.
    pub fn of_daemon_set(set: DaemonSet) -> Option<(String, Self)> {
        let (meta, spec, status) = (set.metadata, set.spec?, set.status.unwrap_or_default());
        let (generation, replicas) = (meta.generation.unwrap_or_default(), i64::from(status.desired_number_scheduled));
        let strategy = spec.update_strategy.unwrap_or_default();
        let by_hand = strategy.type_.as_deref() == Some("OnDelete");
        let rolling = strategy.rolling_update.unwrap_or_default();
        let surge = share(rolling.max_surge.as_ref(), replicas, Round::Up);
        let missing = share(rolling.max_unavailable.as_ref(), replicas, Round::Up);
        let facts = Self {
            kind: "DaemonSet",
            group: None,
            uid: meta.uid.unwrap_or_default(),
            name: meta.name?,
            labels: spec.template.metadata.and_then(|meta| meta.labels).unwrap_or_default(),
            generation,
            replicas,
            revision: Revision::Number(0),
            is_rolled_out: status.observed_generation.is_some_and(|seen| seen >= generation)
                && i64::from(status.updated_number_scheduled.unwrap_or_default()) == replicas
                && i64::from(status.current_number_scheduled) == replicas,
            overlaps: if by_hand { replicas > 1 } else { surge > 0 || missing.max(1) < replicas },
        };
        Some((meta.namespace?, facts))
    }

    /// `Kind/name`, as pods and members name their controller.
    pub fn key(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// Whether a pod is of the newest revision.
    pub fn is_newest(&self, pod: &PodView) -> bool {
        match &self.revision {
            Revision::Number(number) => pod.revision == *number,
            Revision::Hash(hash) => pod.facts.labels.get(REVISION_HASH) == Some(hash),
        }
    }
}

/// The HandoffGroup among the owners of an object, if that is its controller.
fn group<'a>(owners: impl IntoIterator<Item = &'a OwnerReference>) -> Option<String> {
    let is_group = |owner: &&OwnerReference| {
        owner.controller == Some(true)
            && owner.kind == HandoffGroup::kind(&())
            && owner.api_version == HandoffGroup::api_version(&())
    };
    owners.into_iter().find(is_group).map(|owner| owner.uid.clone())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Up,
    Down,
}

/// A number of pods that is written as such or as a percentage; a quarter if it is not written.
fn share(written: Option<&IntOrString>, replicas: i64, round: Round) -> i64 {
    let percent = match written {
        Some(IntOrString::Int(count)) => return i64::from(*count),
        Some(IntOrString::String(text)) => text.trim_end_matches('%').parse().unwrap_or(0),
        None => 25,
    };
    let hundredfold = replicas.saturating_mul(percent);
    if round == Round::Up { hundredfold.div_euclid(100) + i64::from(hundredfold % 100 > 0) } else { hundredfold / 100 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(spec: serde_json::Value, status: serde_json::Value) -> WorkloadFacts {
        let mut object = json!({"metadata": {"name": "web", "namespace": "shop", "generation": 4,
            "annotations": {REVISION: "7"}}, "spec": spec, "status": status});
        object["spec"]["selector"] = json!({});
        object["spec"]["template"] = json!({"metadata": {"labels": {"app": "web"}}});
        let object = serde_json::from_value(object).expect("a Deployment");
        WorkloadFacts::of_deployment(object).expect("facts").1
    }

    #[test]
    fn a_rollout_is_over_when_its_controller_has_seen_it_and_made_all_pods() {
        let over = |status| deployment(json!({"replicas": 3}), status).is_rolled_out;
        assert!(over(json!({"observedGeneration": 4, "updatedReplicas": 3, "replicas": 3})));
        assert!(!over(json!({"observedGeneration": 3, "updatedReplicas": 3, "replicas": 3})), "it was not seen");
        assert!(!over(json!({"observedGeneration": 4, "updatedReplicas": 2, "replicas": 3})));
        assert!(!over(json!({"observedGeneration": 4, "updatedReplicas": 3, "replicas": 4})));
        assert!(!over(json!({})));
        let empty = deployment(json!({"replicas": 0}), json!({"observedGeneration": 4}));
        assert!(empty.is_rolled_out && empty.revision == Revision::Number(7));
    }

    #[test]
    fn a_daemon_set_has_as_many_pods_as_nodes_want_and_overlaps_unless_it_has_one() {
        let set = |strategy: serde_json::Value, nodes: i32, updated: i32| {
            let object =
                serde_json::from_value(json!({"metadata": {"name": "cache", "namespace": "shop", "generation": 4},
                "spec": {"selector": {}, "template": {}, "updateStrategy": strategy},
                "status": {"observedGeneration": 4, "desiredNumberScheduled": nodes, "currentNumberScheduled": nodes,
                    "updatedNumberScheduled": updated, "numberMisscheduled": 0, "numberReady": nodes}}));
            WorkloadFacts::of_daemon_set(object.expect("a DaemonSet")).expect("facts").1
        };
        let rolling = |surge: i32, missing: &str| json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": missing}});
        let three = set(rolling(0, "34%"), 3, 3);
        assert_eq!((three.key().as_str(), three.replicas, three.is_rolled_out), ("DaemonSet/cache", 3, true));
        assert!(three.overlaps && !set(rolling(0, "100%"), 3, 3).overlaps && !set(rolling(0, "1%"), 1, 1).overlaps);
        assert!(set(rolling(1, "0%"), 1, 1).overlaps && set(json!({"type": "OnDelete"}), 3, 3).overlaps);
        assert!(!set(rolling(0, "1%"), 3, 2).is_rolled_out);
    }

    #[test]
    fn pods_overlap_unless_all_may_be_missing_at_once() {
        let overlaps = |spec| deployment(spec, json!({})).overlaps;
        let rolling = |surge, missing, replicas: i32| {
            overlaps(json!({"replicas": replicas, "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": missing}}}))
        };
        assert!(overlaps(json!({})), "one pod, and a surge of one");
        assert!(!overlaps(json!({"replicas": 5, "strategy": {"type": "Recreate"}})));
        assert!(rolling(json!(0), json!(1), 3) && rolling(json!(1), json!("100%"), 3));
        assert!(!rolling(json!(0), json!(1), 1) && !rolling(json!(0), json!("100%"), 3));
        assert!(!rolling(json!("0%"), json!("10%"), 1), "none is made one");
    }
}
