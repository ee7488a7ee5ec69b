//! One group: what the operator says of it, and whether its pods have agents.

use std::collections::BTreeSet;

use baton_crds::{HandoffGroup, label};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;

use super::finding::Finding;
use super::install::some;
use super::{Seen, policy, workload};
use crate::member::agent;
use crate::status::{condition, is_observed};

/// What is around groups.
pub(super) struct Surroundings {
    pub(super) namespaces: Seen<Namespace>,
    pub(super) pods: Seen<Pod>,
    pub(super) deployments: Seen<Deployment>,
    pub(super) sets: Seen<StatefulSet>,
    pub(super) budgets: Seen<PodDisruptionBudget>,
    pub(super) policies: Seen<NetworkPolicy>,
}

/// Checks a group, with everything of its namespace that bears on it.
pub(super) fn check(group: &HandoffGroup, around: &Surroundings, agent_image: Option<&str>) -> Vec<Finding> {
    let about = about(group);
    let mut findings = conditions(group, &about);
    match selected(&around.pods, group) {
        Err(error) => findings.push(Finding::unseen("pods", error)),
        Ok(pods) => {
            findings.extend(injection(&pods, &about));
            findings.extend(images(group, &pods, agent_image, &about));
            findings.extend(workload::grace(group, &pods, &about));
        }
    }
    let workloads = workload::of(group, around);
    findings.extend(workload::check(&workloads, group, &about));
    findings.extend(policy::check(&workloads, group, around, &about));
    let bad = findings.iter().any(|finding| finding.level != super::finding::Level::Good);
    if !bad {
        findings.push(Finding::good(&about, "The group, its pods and its workloads are as they should be."));
    }
    findings
}

/// `namespace/name`.
pub(super) fn about(group: &HandoffGroup) -> String {
    format!("{}/{}", group.namespace().unwrap_or_default(), group.name_any())
}

/// The pods that a group selects and that have not ended.
fn selected<'a>(pods: &'a Seen<Pod>, group: &HandoffGroup) -> Result<Vec<&'a Pod>, &'a String> {
    let phase = |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
    let lives = |pod: &&Pod| !matches!(phase(pod).as_str(), "Succeeded" | "Failed");
    let ours = |pod: &&Pod| pod.namespace() == group.namespace() && group.spec.selector.matches(pod.labels());
    pods.as_ref().map(|pods| pods.iter().filter(ours).filter(lives).collect())
}

fn conditions(group: &HandoffGroup, about: &str) -> Vec<Finding> {
    let Some(status) = &group.status else {
        let says = "No operator has looked at this group.";
        return vec![Finding::error(about, says, "See what this says of the installation.")];
    };
    let mut findings = Vec::new();
    let (keepers, wanted) = (status.keepers, group.spec.keepers.replicas);
    if i64::from(keepers) < i64::from(wanted) {
        let says = format!("{keepers} of {wanted} keepers are Active.");
        let advice = "See why: kubectl describe statefulset, and the events of the group (KeepersNotMade).";
        findings.push(Finding::warning(about, says, advice));
    }
    if !is_observed(group) {
        let says = "The operator has not seen the newest spec yet.";
        findings.push(Finding::warning(about, says, "If it stays so, see what this says of the installation."));
    }
    let bad = |kind: &str, status: &str| condition(group, kind).filter(|one| one.status == status);
    let advice = |reason: &str| format!("docs/operations.md says what to do about {reason}.");
    if let Some(one) = bad("Ready", "False") {
        findings.push(Finding::error(
            about,
            format!("Not ready ({}): {}", one.reason, one.message),
            advice(&one.reason),
        ));
    }
    if let Some(one) = bad("HandoffSafe", "False") {
        let says = format!("A handoff is not safe ({}): {}", one.reason, one.message);
        let of = if one.reason == "NoOverlap" { Finding::error } else { Finding::warning };
        findings.push(of(about, says, advice(&one.reason)));
    }
    for (kind, status, what) in [("Degraded", "True", "Degraded"), ("InSync", "False", "Not in sync")] {
        if let Some(one) = bad(kind, status) {
            let says = format!("{what} ({}): {}", one.reason, one.message);
            findings.push(Finding::warning(about, says, advice(&one.reason)));
        }
    }
    findings
}

fn injection(pods: &[&Pod], about: &str) -> Vec<Finding> {
    let names = |which: fn(&Pod) -> bool| {
        let names: Vec<String> = pods.iter().filter(|pod| which(pod)).map(|pod| pod.name_any()).collect();
        (!names.is_empty()).then(|| some(&names.iter().map(String::as_str).collect::<Vec<_>>()))
    };
    let mut findings = Vec::new();
    if let Some(names) = names(|pod| agent(pod).is_none() && !is_spoilt(pod) && !refuses(pod)) {
        let says = format!("Selected pods run without an agent, so what they hold is lost: {names}.");
        let advice = "Label the pod template or the namespace baton.dev/inject=enabled, and restart the workload.";
        findings.push(Finding::error(about, says, advice));
    }
    if let Some(names) = names(is_spoilt) {
        let says = format!("Selected pods whose agent was removed or changed after it was injected: {names}.");
        let advice = "Look among kubectl get mutatingwebhookconfigurations for the one that does it, have it leave the container baton-agent as it is, and restart the workload.";
        findings.push(Finding::error(about, says, advice));
    }
    if let Some(names) = names(|pod| agent(pod).is_none() && refuses(pod)) {
        let says = format!("Selected pods refuse an agent by baton.dev/inject=disabled: {names}.");
        findings.push(Finding::hint(about, says, "If they hold no state, select fewer pods."));
    }
    findings
}

fn refuses(pod: &Pod) -> bool {
    pod.labels().get(label::INJECT).is_some_and(|value| value == label::INJECT_DISABLED)
}

/// It was given an agent, and another webhook has taken it away, or what makes it run beside the app.
fn is_spoilt(pod: &Pod) -> bool {
    let runs = agent(pod).is_some_and(|agent| agent.restart_policy.as_deref() == Some("Always"));
    pod.annotations().contains_key(label::INJECTED) && !runs && !refuses(pod)
}

/// Agents of other releases work together, for the time of a rollout.
fn images(group: &HandoffGroup, pods: &[&Pod], injected: Option<&str>, about: &str) -> Vec<Finding> {
    let here: BTreeSet<&str> = pods.iter().filter_map(|pod| agent(pod)?.image.as_deref()).collect();
    let wanted = group.spec.agent.image.as_deref().or(injected);
    let others: Vec<&str> =
        here.iter().copied().filter(|image| wanted.is_some_and(|wanted| wanted != *image)).collect();
    let Some(wanted) = wanted.filter(|_| !others.is_empty()) else {
        if here.len() > 1 {
            let images: Vec<&str> = here.into_iter().collect();
            return vec![Finding::hint(
                about,
                format!("Agents of several images run: {}.", some(&images)),
                "Let the rollout end.",
            )];
        }
        return Vec::new();
    };
    let says = format!("Agents of {} run; pods that are made now get {wanted}.", some(&others));
    vec![Finding::warning(about, says, "Restart the workload: kubectl baton rollout restart KIND/NAME --wait.")]
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::finding::{Level, text};
    use super::*;
    use crate::fixture::{HEALTHY, group, pod};

    pub(in crate::doctor) fn around(pods: Vec<Pod>) -> Surroundings {
        Surroundings {
            namespaces: Ok(vec![]),
            pods: Ok(pods),
            deployments: Ok(vec![]),
            sets: Ok(vec![]),
            budgets: Ok(vec![]),
            policies: Ok(vec![]),
        }
    }

    fn said(group: &HandoffGroup, pods: Vec<Pod>) -> String {
        text(&check(group, &around(pods), Some("agent:2")), false)
    }

    #[test]
    fn a_group_as_it_should_be_is_good() {
        let findings = check(&group(&HEALTHY), &around(vec![pod("web-1", "agent:2")]), Some("agent:2"));
        assert!(findings.len() == 1 && findings[0].level == Level::Good, "{findings:?}");
    }

    #[test]
    fn conditions_are_told_with_their_reasons() {
        let bad = [
            ("Ready", "False", "NoPodsSelected"),
            ("HandoffSafe", "False", "NoOverlap"),
            ("Degraded", "True", "HandoffFailed"),
            ("InSync", "False", "MembersUnheard"),
        ];
        let text = said(&group(&bad), vec![]);
        assert!(
            text.contains("2 errors, 2 warnings") && text.contains("(HandoffFailed): Says why Degraded is True."),
            "{text}"
        );
        let few = said(&group(&[("HandoffSafe", "False", "TooFewMembers")]), vec![]);
        assert!(few.contains("0 errors, 1 warning,"), "{few}");
    }

    #[test]
    fn a_group_that_no_operator_looks_at_is_an_error() {
        let mut stale = group(&HEALTHY);
        stale.metadata.generation = Some(9);
        assert!(said(&stale, vec![]).contains("has not seen the newest spec"));
        stale.status = None;
        assert!(said(&stale, vec![]).contains("ERROR    shop/web: No operator has looked"));
    }

    #[test]
    fn keepers_that_are_not_there_are_missed() {
        let mut kept = group(&HEALTHY);
        kept.spec.keepers.replicas = 2;
        assert!(said(&kept, vec![]).contains("WARNING  shop/web: 0 of 2 keepers are Active."));
        kept.status.as_mut().expect("a status").keepers = 2;
        assert!(said(&kept, vec![]).starts_with("0 errors, 0 warnings"), "{}", said(&kept, vec![]));
    }

    #[test]
    fn pods_without_an_agent_are_named_unless_they_are_none_of_the_group() {
        let bare = |name: &str| {
            let mut pod = pod(name, "agent:2");
            pod.spec.as_mut().expect("a spec").init_containers = None;
            pod
        };
        let mut elsewhere = bare("web-2");
        elsewhere.metadata.namespace = Some("other".into());
        let mut ended = bare("web-3");
        ended.status.as_mut().expect("a status").phase = Some("Succeeded".into());
        let mut refuses = bare("web-4");
        refuses.labels_mut().insert(label::INJECT.into(), label::INJECT_DISABLED.into());
        let mut removed = bare("web-5");
        let mut broken = pod("web-6", "agent:2");
        broken.spec.as_mut().and_then(|spec| spec.init_containers.as_mut()).expect("an agent")[0].restart_policy = None;
        for pod in [&mut removed, &mut broken] {
            pod.annotations_mut().insert(label::INJECTED.into(), "agent:2".into());
        }
        let text = said(&group(&HEALTHY), vec![bare("web-1"), elsewhere, ended, refuses, removed, broken]);
        assert!(text.contains("run without an agent, so what they hold is lost: web-1.\n"), "{text}");
        assert!(text.contains("refuse an agent by baton.dev/inject=disabled: web-4.\n"), "{text}");
        assert!(text.contains("whose agent was removed or changed after it was injected: web-5, web-6.\n"), "{text}");
    }

    #[test]
    fn agents_of_another_image_than_is_injected_are_told() {
        let mut web = group(&HEALTHY);
        let pods = || vec![pod("web-1", "agent:1"), pod("web-2", "agent:2")];
        assert!(said(&web, pods()).contains("Agents of agent:1 run; pods that are made now get agent:2."));
        web.spec.agent.image = Some("agent:1".into());
        assert!(said(&web, pods()).contains("Agents of agent:2 run; pods that are made now get agent:1."));
        let unknown = text(&check(&group(&HEALTHY), &around(pods()), None), false);
        assert!(unknown.contains("HINT     shop/web: Agents of several images run: agent:1, agent:2."), "{unknown}");
    }
}
