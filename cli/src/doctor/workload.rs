//! What makes the pods of a group: strategies that cannot be safe, too few pods, grace periods that are too short.

use std::collections::BTreeMap;
use std::time::Duration;

use baton_crds::{HandoffGroup, label};
use baton_replica::Budget;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{Resource, ResourceExt};

use super::finding::Finding;
use super::group::Surroundings;
use super::install::some;
use crate::member::agent;

/// How long the cluster autoscaler waits for a pod by default.
const PATIENCE: i64 = 600;

/// A Deployment or StatefulSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Workload {
    /// `Deployment/web`.
    pub(super) name: String,
    pub(super) replicas: i32,
    /// The labels of its pods.
    pub(super) labels: BTreeMap<String, String>,
    /// The UID of the HandoffGroup whose keepers it makes.
    keeps: Option<String>,
    rollout: Rollout,
}

/// What a rollout does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rollout {
    /// Some pods of the old revision live until some of the new one do.
    Overlaps,
    /// All old pods end first, by the strategy Recreate.
    Recreates,
    /// All old pods may end first, since nothing is surged and all may be unavailable.
    EndsAll,
    /// The only pod ends first.
    Alone,
}

/// The workloads of a group, as far as they may be read.
pub(super) fn of(group: &HandoffGroup, around: &Surroundings) -> Vec<Workload> {
    let ours = |namespace: Option<String>, one: &Workload| {
        let belongs = match &one.keeps {
            Some(uid) => group.metadata.uid.as_ref() == Some(uid),
            None => group.spec.selector.matches(&one.labels),
        };
        belongs && namespace == group.namespace()
    };
    let deployments = around.deployments.iter().flatten().map(|one| (one.namespace(), Workload::from(one)));
    let sets = around.sets.iter().flatten().map(|one| (one.namespace(), Workload::from(one)));
    let all = deployments.chain(sets).filter(|(namespace, one)| ours(namespace.clone(), one)).map(|(_, one)| one);
    // Its pods get the label when they are injected.
    let labelled = |mut one: Workload| {
        one.labels.entry(label::GROUP.to_owned()).or_insert_with(|| group.name_any());
        one
    };
    all.map(labelled).collect()
}

/// Checks how they are rolled out, and how many pods they have.
pub(super) fn check(workloads: &[Workload], group: &HandoffGroup, about: &str) -> Vec<Finding> {
    let (kept, enough) = (group.spec.keepers.replicas, group.spec.handoff.acks + 1);
    let apps = || workloads.iter().filter(|workload| workload.keeps.is_none());
    let total: i32 = apps().map(|workload| workload.replicas).sum();
    // Fewer may leave with what they hold.
    let keepers = if kept >= enough { i32::try_from(kept).unwrap_or(i32::MAX) } else { 0 };
    let others = |workload: &Workload| (total - workload.replicas).saturating_add(keepers);
    let mut findings: Vec<Finding> =
        apps().filter_map(|workload| workload.complaint(others(workload), about)).collect();
    if (1..enough).contains(&kept) {
        let says = format!(
            "{} too few: while the app is scaled to 0, a keeper that leaves does not find as many others as handoff.acks asks for ({}).",
            if kept == 1 { "1 keeper is".to_owned() } else { format!("{kept} keepers are") },
            enough - 1,
        );
        findings.push(Finding::warning(about, says, format!("Set keepers.replicas to {enough}.")));
    }
    findings
}

/// Pods whose grace period does not hold what the group asks for: it was raised when they were made, for the spec of then.
pub(super) fn grace(group: &HandoffGroup, pods: &[&Pod], about: &str) -> Vec<Finding> {
    let timeout = group.spec.handoff.timeout.get();
    let seconds = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(30);
    let hold = |pod: &Pod| {
        let grace = Duration::from_secs(seconds(pod).max(0).unsigned_abs());
        Budget { grace, handoff_timeout: timeout, stop_without_hook: Duration::ZERO }.hold()
    };
    let injected = || pods.iter().filter(|pod| agent(pod).is_some());
    let short: Vec<String> = injected().filter(|pod| hold(pod) < timeout).map(|pod| pod.name_any()).collect();
    let long: Vec<String> = injected().filter(|pod| seconds(pod) > PATIENCE).map(|pod| pod.name_any()).collect();
    let names = |names: &[String]| some(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut findings = Vec::new();
    if !short.is_empty() {
        let says = format!(
            "The grace period of these pods is too short for handoff.timeout ({} s): {}.",
            timeout.as_secs(),
            names(&short)
        );
        findings.push(Finding::warning(about, says, "Restart the workload: new pods get what the group asks for."));
    }
    if !long.is_empty() {
        let says = format!(
            "The grace period of these pods is longer than the {PATIENCE} s that a cluster autoscaler waits: {}.",
            names(&long)
        );
        findings.push(Finding::hint(
            about,
            says,
            "Lower handoff.timeout or the pods' own grace period, or tell the autoscaler.",
        ));
    }
    findings
}

// === impl Workload ===

impl Workload {
    /// What is wrong with it, if the group has so many pods beside it.
    fn complaint(&self, others: i32, about: &str) -> Option<Finding> {
        let name = &self.name;
        let lost = "a rollout loses the group's state";
        match self.rollout {
            _ if self.replicas == 0 && others == 0 => Some(Finding::hint(
                about,
                format!("{name} is scaled to 0, and nothing else holds the group's state: it starts empty."),
                "If its state shall outlive that, set keepers.replicas before it is scaled to 0.",
            )),
            _ if self.replicas == 0 => Some(Finding::hint(
                about,
                format!("{name} is scaled to 0: it holds nothing."),
                "Nothing needs to be done.",
            )),
            Rollout::Recreates if others == 0 => {
                let says =
                    format!("{name} has the strategy Recreate, which ends all pods before it starts new ones: {lost}.");
                Some(Finding::error(about, says, "Use RollingUpdate with maxSurge of 1 or more, or keepers."))
            }
            Rollout::EndsAll if others == 0 => {
                let says =
                    format!("{name} has maxSurge 0 and may end all of its {} pods at once: {lost}.", self.replicas);
                Some(Finding::error(about, says, "Use maxSurge of 1 or more, a lower maxUnavailable, or keepers."))
            }
            Rollout::Alone if others == 0 => {
                let says = format!("{name} is a StatefulSet of one pod, which ends before the new one starts: {lost}.");
                Some(Finding::error(about, says, "Use two or more replicas, a Deployment, or keepers."))
            }
            _ if self.replicas + others == 1 => {
                let says = format!(
                    "{name} is the group's only pod: a crash, an eviction with a short grace period or a lost node loses its state."
                );
                Some(Finding::warning(about, says, "Use two or more replicas."))
            }
            _ => None,
        }
    }
}

impl From<&Deployment> for Workload {
    fn from(deployment: &Deployment) -> Self {
        let spec = deployment.spec.as_ref();
        let replicas = spec.and_then(|spec| spec.replicas).unwrap_or(1);
        let strategy = spec.and_then(|spec| spec.strategy.clone()).unwrap_or_default();
        let rolling = strategy.rolling_update.unwrap_or_default();
        let surge = amount(rolling.max_surge.as_ref(), replicas, true);
        // Both zero is refused by the API server; what rounds to it counts as one.
        let unavailable = amount(rolling.max_unavailable.as_ref(), replicas, false).max(i32::from(surge == 0));
        let rollout = match strategy.type_.as_deref() {
            Some("Recreate") => Rollout::Recreates,
            _ if surge == 0 && unavailable >= replicas => Rollout::EndsAll,
            _ => Rollout::Overlaps,
        };
        let labels = spec.and_then(|spec| spec.template.metadata.as_ref()?.labels.clone()).unwrap_or_default();
        Self { name: format!("Deployment/{}", deployment.name_any()), replicas, labels, keeps: None, rollout }
    }
}

impl From<&StatefulSet> for Workload {
    fn from(set: &StatefulSet) -> Self {
        let spec = set.spec.as_ref();
        let replicas = spec.and_then(|spec| spec.replicas).unwrap_or(1);
        let labels = spec.and_then(|spec| spec.template.metadata.as_ref()?.labels.clone()).unwrap_or_default();
        let rollout = if replicas == 1 { Rollout::Alone } else { Rollout::Overlaps };
        let keeps = keeps(set).map(str::to_owned);
        Self { name: format!("StatefulSet/{}", set.name_any()), replicas, labels, keeps, rollout }
    }
}

/// Whether a StatefulSet makes the keepers of a group.
pub(super) fn is_of_keepers(set: &StatefulSet) -> bool {
    keeps(set).is_some()
}

/// The UID of the HandoffGroup whose keepers a StatefulSet makes.
fn keeps(set: &StatefulSet) -> Option<&str> {
    let mut owners = set.owner_references().iter();
    let group = owners.find(|owner| owner.controller == Some(true) && owner.kind == HandoffGroup::kind(&()));
    group.map(|group| group.uid.as_str())
}

/// A number of pods, of so many; a quarter if nothing is said, as Kubernetes has it.
pub(super) fn amount(value: Option<&IntOrString>, of: i32, up: bool) -> i32 {
    let percent = |percent: i32| {
        let exact = i64::from(percent) * i64::from(of);
        i32::try_from(if up { (exact + 99) / 100 } else { exact / 100 }).unwrap_or(of)
    };
    match value {
        None => percent(25),
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(text)) => text.trim_end_matches('%').parse().map_or(0, percent),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::finding::text;
    use super::*;
    use crate::fixture::{HEALTHY, group, object, pod};

    pub(in crate::doctor) fn deployment(replicas: i32, strategy: serde_json::Value) -> Deployment {
        object(json!({
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "replicas": replicas, "selector": {}, "strategy": strategy,
                "template": {"metadata": {"labels": {"app": "web"}}},
            },
        }))
    }

    fn rolling(surge: serde_json::Value, unavailable: serde_json::Value) -> serde_json::Value {
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}})
    }

    fn said(deployments: &[Deployment]) -> String {
        let workloads: Vec<Workload> = deployments.iter().map(Workload::from).collect();
        text(&check(&workloads, &group(&HEALTHY), "shop/web"), false)
    }

    #[test]
    fn strategies_without_an_overlap_are_errors() {
        assert!(
            said(&[deployment(3, json!({"type": "Recreate"}))])
                .contains("ERROR    shop/web: Deployment/web has the strategy Recreate")
        );
        assert!(
            said(&[deployment(1, rolling(json!(0), json!(1)))])
                .contains("has maxSurge 0 and may end all of its 1 pods")
        );
        assert!(said(&[deployment(4, rolling(json!("0%"), json!("100%")))]).contains("ERROR"));
        assert!(said(&[deployment(4, rolling(json!(0), json!("50%")))]).starts_with("0 errors"));
        assert!(said(&[deployment(2, json!(null))]).starts_with("0 errors, 0 warnings"));
        let set: StatefulSet = object(json!({
            "metadata": {"name": "db"}, "spec": {"replicas": 1, "selector": {}, "serviceName": "db", "template": {}},
        }));
        let text = text(&check(&[Workload::from(&set)], &group(&HEALTHY), "shop/web"), false);
        assert!(text.contains("is a StatefulSet of one pod"), "{text}");
    }

    #[test]
    fn others_of_the_group_hold_the_state_meanwhile() {
        let recreated = || deployment(3, json!({"type": "Recreate"}));
        assert!(said(&[recreated(), deployment(2, json!(null))]).starts_with("0 errors"));
    }

    #[test]
    fn keepers_hold_the_state_meanwhile_if_there_are_enough() {
        let said = |replicas, acks| {
            let mut group = group(&HEALTHY);
            (group.spec.keepers.replicas, group.spec.handoff.acks) = (replicas, acks);
            let keepers: StatefulSet = object(json!({
                "metadata": {"name": "web-keeper", "ownerReferences": [
                    {"apiVersion": "baton.dev/v1alpha1", "kind": "HandoffGroup", "name": "web", "uid": "u", "controller": true}]},
                "spec": {"replicas": replicas, "selector": {}, "serviceName": "", "template": {}},
            }));
            let app = deployment(3, json!({"type": "Recreate"}));
            text(&check(&[Workload::from(&app), Workload::from(&keepers)], &group, "shop/web"), false)
        };
        assert!(said(2, 1).starts_with("0 errors, 0 warnings, 0 hints"), "{}", said(2, 1));
        for (replicas, acks) in [(1, 1), (2, 2)] {
            let text = said(replicas, acks);
            assert!(text.contains("1 error, 1 warning,") && text.contains("too few"), "{text}");
        }
        assert!(said(0, 1).contains("1 error, 0 warnings"), "{}", said(0, 1));
    }

    #[test]
    fn the_keepers_of_a_group_are_its_own_whatever_their_labels_are() {
        let mut web = group(&HEALTHY);
        web.metadata.uid = Some("u".into());
        let keepers = |uid: &str| -> StatefulSet {
            object(json!({
                "metadata": {"name": "web-keeper", "namespace": "shop", "ownerReferences": [
                    {"apiVersion": "baton.dev/v1alpha1", "kind": "HandoffGroup", "name": "web", "uid": uid, "controller": true}]},
                "spec": {"selector": {}, "serviceName": "", "template": {"metadata": {"labels": {"app": "web"}}}},
            }))
        };
        let mut around = super::super::group::tests::around(vec![]);
        around.sets = Ok(vec![keepers("u"), keepers("of-another-group")]);
        assert_eq!(of(&web, &around).len(), 1);
    }

    #[test]
    fn one_pod_is_a_risk_and_none_is_none() {
        assert!(
            said(&[deployment(1, json!(null))]).contains("WARNING  shop/web: Deployment/web is the group's only pod")
        );
        let empty = said(&[deployment(0, json!({"type": "Recreate"}))]);
        assert!(empty.contains("HINT     shop/web: Deployment/web is scaled to 0, and nothing else holds"), "{empty}");
        assert!(said(&[deployment(0, json!(null)), deployment(2, json!(null))]).contains("Nothing needs to be done."));
    }

    #[test]
    fn only_workloads_whose_pods_are_selected_are_the_groups() {
        let mut elsewhere = deployment(1, json!(null));
        elsewhere.metadata.namespace = Some("other".into());
        let mut around = super::super::group::Surroundings {
            namespaces: Ok(vec![]),
            pods: Ok(vec![]),
            deployments: Ok(vec![elsewhere, deployment(2, json!(null))]),
            sets: Err("forbidden".into()),
            budgets: Ok(vec![]),
            policies: Ok(vec![]),
        };
        assert_eq!(of(&group(&HEALTHY), &around).len(), 1);
        around.deployments = Err("forbidden".into());
        assert!(of(&group(&HEALTHY), &around).is_empty());
    }

    #[test]
    fn grace_periods_must_hold_the_timeout_and_not_outlast_an_autoscaler() {
        let with = |seconds| {
            let mut pod = pod("web-1", "agent:1");
            pod.spec.as_mut().expect("a spec").termination_grace_period_seconds = Some(seconds);
            text(&grace(&group(&HEALTHY), &[&pod], "shop/web"), false)
        };
        assert!(with(20).contains("too short for handoff.timeout (20 s): web-1."));
        assert!(with(27).starts_with("0 errors, 0 warnings, 0 hints"), "{}", with(27));
        assert!(with(900).contains("longer than the 600 s"));
    }
}
