//! Policies around a group's pods: disruption budgets that block drains, network policies that part agents.

use baton_crds::HandoffGroup;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPort};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};

use super::finding::Finding;
use super::group::Surroundings;
use super::workload::{Workload, amount};

/// Where other agents reach an agent: its number and its name in the pod.
const PEER: (i32, &str) = (7072, "baton-peer");

/// Where agents reach the operator.
const OPERATOR: (i32, &str) = (7080, "directory");

/// Where names are resolved.
const DNS: (i32, &str) = (53, "dns");

/// Checks the policies that select the pods of a group's workloads.
pub(super) fn check(workloads: &[Workload], group: &HandoffGroup, around: &Surroundings, about: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &around.budgets {
        Err(error) => findings.push(Finding::unseen("PodDisruptionBudgets", error)),
        Ok(all) => {
            let here: Vec<_> = all.iter().filter(|one| one.namespace() == group.namespace()).collect();
            findings.extend(workloads.iter().filter(|one| one.replicas > 0).flat_map(|one| budgets(one, &here, about)));
        }
    }
    match &around.policies {
        Err(error) => findings.push(Finding::unseen("NetworkPolicies", error)),
        Ok(all) => {
            let here: Vec<_> = all.iter().filter(|one| one.namespace() == group.namespace()).collect();
            findings.extend(workloads.iter().flat_map(|one| network(one, &here, about)));
        }
    }
    findings
}

fn budgets(workload: &Workload, budgets: &[&PodDisruptionBudget], about: &str) -> Vec<Finding> {
    let selects = |budget: &&&PodDisruptionBudget| {
        selects(budget.spec.as_ref().and_then(|spec| spec.selector.as_ref()), workload)
    };
    let ours: Vec<_> = budgets.iter().filter(selects).collect();
    let names: Vec<String> = ours.iter().map(|budget| budget.name_any()).collect();
    let name = &workload.name;
    match ours.as_slice() {
        [] if workload.replicas > 1 => {
            let says = format!(
                "No PodDisruptionBudget selects the pods of {name}: a drain may make all of them leave at once."
            );
            vec![Finding::hint(about, says, "Add one with maxUnavailable: 1.")]
        }
        [] => Vec::new(),
        [one] if blocks(one, workload.replicas) => {
            let says = format!(
                "PodDisruptionBudget {} never lets a pod of {name} be evicted: nodes cannot be drained.",
                names[0]
            );
            vec![Finding::warning(about, says, "Use maxUnavailable: 1: Baton hands off what an evicted pod holds.")]
        }
        [_] => Vec::new(),
        _ => {
            let says = format!(
                "Several PodDisruptionBudgets select the pods of {name} ({}): Kubernetes evicts none of them.",
                names.join(", ")
            );
            vec![Finding::warning(about, says, "Keep one of them.")]
        }
    }
}

fn blocks(budget: &PodDisruptionBudget, replicas: i32) -> bool {
    let Some(spec) = &budget.spec else { return false };
    let number = |value: &IntOrString| amount(Some(value), replicas, true);
    let most = spec.max_unavailable.as_ref().is_some_and(|value| number(value) == 0);
    let least = spec.min_available.as_ref().is_some_and(|value| number(value) >= replicas);
    most || least
}

/// A policy that selects a pod isolates it; what any of them allows is allowed. Only ports are looked at: whom a rule lets
/// through is for the namespaces' own labels to say.
fn network(workload: &Workload, policies: &[&NetworkPolicy], about: &str) -> Vec<Finding> {
    let ours = || {
        let spec = policies.iter().filter_map(|policy| policy.spec.as_ref());
        spec.filter(|spec| spec.pod_selector.as_ref().is_none_or(|selector| self::selects(Some(selector), workload)))
    };
    let isolates = |way: &str| ours().any(|spec| types(spec).contains(&way));
    let allows_in =
        |port| ours().flat_map(|spec| spec.ingress.iter().flatten()).any(|rule| allows(rule.ports.as_deref(), port));
    let allows_out =
        |port| ours().flat_map(|spec| spec.egress.iter().flatten()).any(|rule| allows(rule.ports.as_deref(), port));
    let (name, mut findings) = (&workload.name, Vec::new());
    let mut blocked = |says: String, advice: &str| findings.push(Finding::error(about, says, advice));
    if isolates("Ingress") && !allows_in(PEER) {
        let says = format!(
            "NetworkPolicies isolate the pods of {name}, and none lets port 7072 in: agents cannot reach each other."
        );
        blocked(says, "Allow 7072 from the pods of the group; docs/cli.md has the policy.");
    }
    if isolates("Egress") {
        for (port, to) in
            [(PEER, "other agents (port 7072)"), (OPERATOR, "the operator (port 7080)"), (DNS, "DNS (port 53)")]
        {
            if !allows_out(port) {
                let says = format!("NetworkPolicies isolate the pods of {name}, and none lets them reach {to}.");
                blocked(says, "Allow it; docs/cli.md has the policy.");
            }
        }
    }
    findings
}

fn types(spec: &k8s_openapi::api::networking::v1::NetworkPolicySpec) -> Vec<&str> {
    match &spec.policy_types {
        Some(types) if !types.is_empty() => types.iter().map(String::as_str).collect(),
        // What the API server takes for granted.
        _ if spec.egress.is_some() => vec!["Ingress", "Egress"],
        _ => vec!["Ingress"],
    }
}

fn allows(ports: Option<&[NetworkPolicyPort]>, (number, name): (i32, &str)) -> bool {
    let Some(ports) = ports.filter(|ports| !ports.is_empty()) else { return true };
    ports.iter().any(|rule| match (&rule.port, rule.end_port) {
        (None, _) => true,
        (Some(IntOrString::Int(first)), end) => (*first..=end.unwrap_or(*first)).contains(&number),
        (Some(IntOrString::String(text)), _) => text == name,
    })
}

fn selects(selector: Option<&LabelSelector>, workload: &Workload) -> bool {
    let Some(selector) = selector.cloned() else { return false };
    Selector::try_from(selector).is_ok_and(|selector| selector.matches(&workload.labels))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::finding::text;
    use super::super::group::tests::around;
    use super::super::workload::{self, tests::deployment};
    use super::*;
    use crate::fixture::{HEALTHY, group, object};

    fn web(replicas: i32) -> Workload {
        Workload::from(&deployment(replicas, json!(null)))
    }

    fn budget(spec: Value) -> PodDisruptionBudget {
        let mut spec = spec;
        spec["selector"] = json!({"matchLabels": {"app": "web"}});
        object(json!({"metadata": {"name": "web"}, "spec": spec}))
    }

    fn about_budgets(replicas: i32, all: &[PodDisruptionBudget]) -> String {
        text(&budgets(&web(replicas), &all.iter().collect::<Vec<_>>(), "shop/web"), false)
    }

    fn about_network(policies: &[Value]) -> String {
        let policies: Vec<NetworkPolicy> =
            policies.iter().map(|spec| object(json!({"metadata": {}, "spec": spec}))).collect();
        text(&network(&web(2), &policies.iter().collect::<Vec<_>>(), "shop/web"), false)
    }

    #[test]
    fn a_budget_must_let_pods_go_one_by_one() {
        assert!(about_budgets(3, &[]).contains("No PodDisruptionBudget"));
        assert!(about_budgets(1, &[]).starts_with("0 errors, 0 warnings, 0 hints"));
        assert!(about_budgets(3, &[budget(json!({"maxUnavailable": 1}))]).starts_with("0 errors, 0 warnings, 0 hints"));
        for blocking in [json!({"maxUnavailable": 0}), json!({"minAvailable": "100%"}), json!({"minAvailable": 3})] {
            let text = about_budgets(3, &[budget(blocking)]);
            assert!(text.contains("nodes cannot be drained"), "{text}");
        }
        let two = about_budgets(3, &[budget(json!({"maxUnavailable": 1})), budget(json!({"maxUnavailable": 1}))]);
        assert!(two.contains("Kubernetes evicts none of them"), "{two}");
    }

    #[test]
    fn an_isolated_pod_needs_the_ports_of_baton() {
        let all = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
        let text = about_network(std::slice::from_ref(&all));
        assert!(text.contains("4 errors") && text.contains("none lets port 7072 in"), "{text}");
        let ports = |number: i32| json!([{"protocol": "TCP", "port": number}]);
        let allow = json!({
            "podSelector": {"matchLabels": {"app": "web"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"port": "baton-peer"}]}],
            "egress": [{"ports": [{"port": 7000, "endPort": 7100}]}, {"ports": ports(53)}],
        });
        assert!(about_network(&[all.clone(), allow]).starts_with("0 errors"));
        let open = json!({"podSelector": {}, "ingress": [{}], "egress": [{}], "policyTypes": ["Ingress", "Egress"]});
        assert!(about_network(&[all, open]).starts_with("0 errors"));
    }

    /// As docs/cli.md has it: pods get the label when they are injected, so no template has it.
    #[test]
    fn a_policy_for_the_pods_of_the_group_is_one_for_those_of_its_workloads() {
        let members = json!({"podSelector": {"matchLabels": {"baton.dev/group": "web"}}});
        let allow = json!({
            "podSelector": members["podSelector"], "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [members], "ports": [{"port": 7072}]}],
            "egress": [{"to": [members], "ports": [{"port": 7072}]}, {"ports": [{"port": 7080}]}, {"ports": [{"port": 53}]}],
        });
        let all = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
        let policy = |spec| object(json!({"metadata": {"namespace": "shop"}, "spec": spec}));
        let mut around = around(vec![]);
        around.deployments = Ok(vec![deployment(2, json!(null))]);
        around.policies = Ok(vec![policy(all), policy(allow)]);
        let web = group(&HEALTHY);
        let text = text(&check(&workload::of(&web, &around), &web, &around, "shop/web"), false);
        assert!(text.contains("\n0 errors, "), "{text}");
    }

    #[test]
    fn a_policy_for_other_pods_isolates_nobody_here() {
        let other = json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"]});
        assert!(about_network(&[other]).starts_with("0 errors"));
        assert!(about_network(&[json!({"podSelector": {}})]).contains("1 error,"), "ingress goes without saying");
    }
}
