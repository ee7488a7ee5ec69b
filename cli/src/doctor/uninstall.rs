//! What an uninstallation loses, what remains after it, and in which order it is done.

use std::collections::{BTreeMap, BTreeSet};

use baton_crds::{HandoffGroup, label};
use kube::ResourceExt;
use serde::Serialize;

use super::Seen;
use super::group::{Surroundings, about};
use super::install::Installation;
use super::workload::is_of_keepers;
use crate::human;
use crate::member::agent;

/// The ConfigMap with the CAs, in each namespace with a group and in the operator's own.
const ROOTS: &str = "baton-roots";

/// The plan.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Plan {
    /// What is gone in the end.
    lost: Vec<String>,
    /// What stays, and what becomes of it.
    remains: Vec<String>,
    /// What to do, in this order.
    steps: Vec<String>,
    /// What could not be read, so that this may be incomplete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<String>,
}

/// Makes the plan for all groups of the cluster.
pub(super) fn plan(installation: &Installation, groups: &Seen<HandoffGroup>, around: &Surroundings) -> Plan {
    let operator = installation.operators.iter().flatten().next();
    let namespace = operator.and_then(ResourceExt::namespace).unwrap_or_else(|| "baton-system".to_owned());
    let release = operator.and_then(|operator| operator.labels().get("app.kubernetes.io/instance").cloned());
    let release = release.unwrap_or_else(|| "baton".to_owned());
    let name = operator.map_or_else(|| "baton-operator".to_owned(), ResourceExt::name_any);
    Plan {
        lost: groups.iter().flatten().map(lost).collect(),
        remains: remains(groups, around, &namespace, &name),
        steps: steps(groups, around, &namespace, &release, &name),
        unseen: unseen(groups, around),
    }
}

// === impl Plan ===

impl Plan {
    /// The plan for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut part = |heading: &str, lines: &[String], none: &str| {
            text.push_str(&format!("{heading}\n"));
            match lines {
                [] => text.push_str(&format!("  {none}\n")),
                lines => lines.iter().for_each(|line| text.push_str(&format!("  {line}\n"))),
            }
        };
        part("What is lost:", &self.lost, "Nothing: there is no HandoffGroup.");
        part("What remains:", &self.remains, "Nothing.");
        let steps: Vec<String> =
            self.steps.iter().enumerate().map(|(at, step)| format!("{}. {step}", at + 1)).collect();
        part("What to do, in this order:", &steps, "Nothing.");
        if !self.unseen.is_empty() {
            part("Not looked at, so that this may be incomplete:", &self.unseen, "");
        }
        text
    }
}

fn lost(group: &HandoffGroup) -> String {
    let status = group.status.clone().unwrap_or_default();
    let keys = human::count(status.keys.max(0) as usize, "key");
    let members = human::count(status.members.max(0) as usize, "member");
    format!(
        "HandoffGroup {}: {keys} ({} bytes), held in memory by {members}; gone when the last of their agents ends.",
        about(group),
        human::bytes(status.bytes)
    )
}

fn remains(groups: &Seen<HandoffGroup>, around: &Surroundings, namespace: &str, operator: &str) -> Vec<String> {
    let mut remains = Vec::new();
    let injected = around.pods.iter().flatten().filter(|pod| agent(pod).is_some()).count();
    if injected > 0 {
        remains.push(format!(
            "{} with an agent: they run on and hand off to the members that they know, but nobody new is let in, and \
             after 24 hours their certificates are not renewed.",
            human::count(injected, "pod")
        ));
    }
    remains.push(
        "The CustomResourceDefinitions handoffgroups, handoffs and memberships.baton.dev, with their objects, unless the \
         chart has crds.keep=false."
            .to_owned(),
    );
    remains.push(format!("The Secrets {operator}-webhook and {operator}-identity in namespace {namespace}."));
    remains.push(format!(
        "The ConfigMap {ROOTS} in {}.",
        told(groups, namespace).into_iter().collect::<Vec<_>>().join(", ")
    ));
    remains
}

fn steps(
    groups: &Seen<HandoffGroup>,
    around: &Surroundings,
    namespace: &str,
    release: &str,
    operator: &str,
) -> Vec<String> {
    let mut steps = Vec::new();
    if groups.iter().flatten().next().is_some() {
        steps.push("Have the apps keep elsewhere what must live on.".to_owned());
    }
    let opted_in = |labels: &BTreeMap<String, String>| {
        labels.get(label::INJECT).is_some_and(|value| value == label::INJECT_ENABLED)
    };
    for place in around.namespaces.iter().flatten().filter(|place| opted_in(place.labels())) {
        steps.push(format!("kubectl label namespace {} {}-", place.name_any(), label::INJECT));
    }
    let deployments = around.deployments.iter().flatten().map(|one| {
        let template = one.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref()?.labels.clone());
        ("deployment", one.namespace(), one.name_any(), template.unwrap_or_default())
    });
    // Keepers go with their groups.
    let of_apps = around.sets.iter().flatten().filter(|one| !is_of_keepers(one));
    let sets = of_apps.map(|one| {
        let template = one.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref()?.labels.clone());
        ("statefulset", one.namespace(), one.name_any(), template.unwrap_or_default())
    });
    for (kind, place, name, labels) in deployments.chain(sets) {
        let place = place.unwrap_or_default();
        let selected = groups
            .iter()
            .flatten()
            .any(|group| group.namespace().as_deref() == Some(place.as_str()) && group.spec.selector.matches(&labels));
        if opted_in(&labels) {
            steps.push(format!(
                "Take the label {} from the pod template of {kind} {place}/{name}; its pods are replaced.",
                label::INJECT
            ));
        } else if selected {
            steps.push(format!("kubectl rollout restart {kind}/{name} -n {place}"));
        }
    }
    for group in groups.iter().flatten() {
        let place = group.namespace().unwrap_or_default();
        steps.push(format!(
            "Once no pod of its apps has an agent: kubectl delete handoffgroup {} -n {place}",
            group.name_any()
        ));
    }
    steps.push(format!("helm uninstall {release} -n {namespace}"));
    steps.push(format!("kubectl delete secret {operator}-webhook {operator}-identity -n {namespace}"));
    for place in told(groups, namespace) {
        steps.push(format!("kubectl delete configmap {ROOTS} -n {place}"));
    }
    steps.push(
        "If Baton is not to come back: kubectl delete crd handoffgroups.baton.dev handoffs.baton.dev memberships.baton.dev"
            .to_owned(),
    );
    steps
}

fn unseen(groups: &Seen<HandoffGroup>, around: &Surroundings) -> Vec<String> {
    let seen = [
        ("HandoffGroups", groups.as_ref().err()),
        ("Namespaces", around.namespaces.as_ref().err()),
        ("Pods", around.pods.as_ref().err()),
        ("Deployments", around.deployments.as_ref().err()),
        ("StatefulSets", around.sets.as_ref().err()),
    ];
    seen.into_iter().filter_map(|(what, error)| Some(format!("{what}: {}", error?))).collect()
}

/// The namespaces that have been told of the CAs.
fn told(groups: &Seen<HandoffGroup>, own: &str) -> BTreeSet<String> {
    groups.iter().flatten().filter_map(ResourceExt::namespace).chain([own.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::group::tests::around;
    use super::super::workload::tests::deployment;
    use super::*;
    use crate::fixture::{HEALTHY, group, object, pod};

    fn installation() -> Installation {
        let operator = json!({
            "metadata": {"name": "baton-operator", "namespace": "infra", "labels": {"app.kubernetes.io/instance": "relay"}},
        });
        Installation {
            version: "1.36".into(),
            definitions: Ok(vec![]),
            operators: Ok(vec![object(operator)]),
            webhooks: Ok(vec![]),
            nodes: Ok(vec![]),
        }
    }

    #[test]
    fn the_plan_names_what_is_lost_and_ends_agents_before_the_operator() {
        let mut around = around(vec![pod("web-1", "agent:1")]);
        let mut opted_in = deployment(2, json!(null));
        let template = opted_in.spec.as_mut().and_then(|spec| spec.template.metadata.as_mut()).expect("a template");
        template.labels.as_mut().expect("labels").insert(label::INJECT.into(), label::INJECT_ENABLED.into());
        let mut other = deployment(2, json!(null));
        other.metadata.name = Some("worker".into());
        around.deployments = Ok(vec![opted_in, other]);
        around.namespaces =
            Ok(vec![object(json!({"metadata": {"name": "shop", "labels": {"baton.dev/inject": "enabled"}}}))]);
        let plan = plan(&installation(), &Ok(vec![group(&HEALTHY)]), &around);
        assert!(
            plan.lost[0].starts_with("HandoffGroup shop/web: 1204 keys (3.1Mi bytes), held in memory by 3 members")
        );
        let text = plan.text();
        let order = [
            "kubectl label namespace shop baton.dev/inject-",
            "from the pod template of deployment shop/web",
            "kubectl rollout restart deployment/worker -n shop",
            "kubectl delete handoffgroup web -n shop",
            "helm uninstall relay -n infra",
            "kubectl delete configmap baton-roots -n infra",
            "kubectl delete configmap baton-roots -n shop",
            "kubectl delete crd handoffgroups.baton.dev",
        ];
        let at: Vec<usize> =
            order.iter().map(|step| text.find(step).unwrap_or_else(|| panic!("no {step:?} in\n{text}"))).collect();
        assert!(at.is_sorted(), "{text}");
        assert!(text.contains("  1 pod with an agent: they run on"), "{text}");
    }

    #[test]
    fn a_plan_that_could_not_look_says_so() {
        let plan = plan(&installation(), &Err("forbidden".into()), &around(vec![]));
        let text = plan.text();
        assert!(
            text.contains("Not looked at, so that this may be incomplete:\n  HandoffGroups: forbidden\n"),
            "{text}"
        );
    }
}
