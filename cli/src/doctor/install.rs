//! The installation: definitions, operator, webhook, and what they run on.

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;

use super::Seen;
use super::finding::Finding;
use super::schema::{VERSION, fields};

const ABOUT: &str = "installation";

/// The first Kubernetes whose kubelet runs native sidecars without being asked to.
const OLDEST: (u32, u32) = (1, 29);

/// The variable that tells the operator which agent it injects.
const AGENT_IMAGE: &str = "BATON_AGENT_IMAGE";

/// How many fields or nodes a sentence names.
const NAMED: usize = 5;

/// What is installed, and where.
pub(super) struct Installation {
    /// The API server's version.
    pub(super) version: String,
    pub(super) definitions: Seen<CustomResourceDefinition>,
    pub(super) operators: Seen<Deployment>,
    pub(super) webhooks: Seen<MutatingWebhookConfiguration>,
    pub(super) nodes: Seen<Node>,
}

// === impl Installation ===

impl Installation {
    /// The agent that is injected into pods now.
    pub(super) fn agent_image(&self) -> Option<String> {
        let operator = self.operators.as_ref().ok()?.first()?;
        let containers =
            operator.spec.iter().filter_map(|spec| spec.template.spec.as_ref()).flat_map(|spec| &spec.containers);
        let mut variables = containers.flat_map(|container| container.env.iter().flatten());
        variables.find(|variable| variable.name == AGENT_IMAGE)?.value.clone()
    }

    /// Whether an operator is in service, as far as can be seen.
    pub(super) fn has_operator(&self) -> Option<bool> {
        Some(self.operators.as_ref().ok()?.iter().any(|operator| ready(operator) > 0))
    }
}

/// Checks it.
pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let mut findings = definitions(&installation.definitions);
    findings.extend(operators(&installation.operators));
    findings.extend(webhooks(&installation.webhooks, installation.has_operator()));
    findings.extend(versions(&installation.version, &installation.nodes));
    findings
}

fn definitions(installed: &Seen<CustomResourceDefinition>) -> Vec<Finding> {
    let installed = match installed {
        Ok(installed) => installed,
        Err(error) => return vec![Finding::unseen("CustomResourceDefinitions", error)],
    };
    let mut findings = Vec::new();
    for (_, wanted) in baton_crds::definitions() {
        let name = wanted.name_any();
        let Some(found) = installed.iter().find(|one| one.name_any() == name) else {
            let says = format!("CustomResourceDefinition {name} is missing.");
            findings.push(Finding::error(ABOUT, says, "Install the chart with crds.enabled=true."));
            continue;
        };
        let conditions = found.status.as_ref().and_then(|status| status.conditions.as_ref());
        let established =
            conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Established" && one.status == "True"));
        if !established {
            let says = format!("CustomResourceDefinition {name} is not established.");
            findings.push(Finding::error(ABOUT, says, format!("See why: kubectl describe crd {name}.")));
        }
        let (Some(here), Some(known)) = (fields(found), fields(&wanted)) else {
            let says = format!("CustomResourceDefinition {name} does not serve {VERSION}.");
            findings.push(Finding::error(ABOUT, says, "Use the kubectl-baton of the release that is installed."));
            continue;
        };
        let lacks: Vec<&str> = known.difference(&here).map(String::as_str).collect();
        if !lacks.is_empty() {
            let says = format!(
                "CustomResourceDefinition {name} is of an older release: the API server drops {}.",
                some(&lacks)
            );
            findings.push(Finding::warning(ABOUT, says, "Upgrade the chart with crds.enabled=true."));
        } else if here != known {
            let says = format!("CustomResourceDefinition {name} is of a newer release than this kubectl-baton.");
            findings.push(Finding::hint(ABOUT, says, "Use the kubectl-baton of the release that is installed."));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::good(ABOUT, "The CustomResourceDefinitions are of this release."));
    }
    findings
}

fn operators(operators: &Seen<Deployment>) -> Vec<Finding> {
    let operators = match operators {
        Ok(operators) => operators,
        Err(error) => return vec![Finding::unseen("the operator's Deployment", error)],
    };
    let one = |operator: &Deployment| {
        let place = format!("{}/{}", operator.namespace().unwrap_or_default(), operator.name_any());
        let wanted = operator.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        match (ready(operator), wanted) {
            (_, 0) => Finding::error(
                ABOUT,
                format!(
                    "The operator {place} is scaled to 0: members do not change, and no pod that opted in is created."
                ),
                format!(
                    "kubectl scale deployment {} -n {} --replicas=2",
                    operator.name_any(),
                    operator.namespace().unwrap_or_default()
                ),
            ),
            (0, _) => Finding::error(
                ABOUT,
                format!(
                    "The operator {place} is not ready: members do not change, and no pod that opted in is created."
                ),
                format!(
                    "Read its log: kubectl logs deployment/{} -n {}",
                    operator.name_any(),
                    operator.namespace().unwrap_or_default()
                ),
            ),
            (ready, wanted) if ready < wanted => Finding::warning(
                ABOUT,
                format!("{ready} of {wanted} operators of {place} are ready."),
                "See why the others are not: kubectl describe pods.",
            ),
            (ready, _) => Finding::good(ABOUT, format!("The operator {place} is in service ({ready} ready).")),
        }
    };
    let mut findings: Vec<Finding> = operators.iter().map(one).collect();
    if operators.is_empty() {
        let says = "No operator is installed: there is no Deployment with the chart's labels.";
        findings.push(Finding::error(
            ABOUT,
            says,
            "helm install baton charts/baton --namespace baton-system --create-namespace",
        ));
    }
    if operators.len() > 1 {
        findings.push(Finding::error(
            ABOUT,
            "Several operators are installed: they do not agree.",
            "Uninstall all but one release.",
        ));
    }
    let mine = env!("CARGO_PKG_VERSION");
    let other = |operator: &Deployment| {
        operator.labels().get("app.kubernetes.io/version").filter(|theirs| *theirs != mine).cloned()
    };
    if let Some(theirs) = operators.iter().find_map(other) {
        let says = format!("The operator is of release {theirs}, this kubectl-baton of {mine}.");
        findings.push(Finding::hint(ABOUT, says, "Use the kubectl-baton of the release that is installed."));
    }
    findings
}

fn webhooks(webhooks: &Seen<MutatingWebhookConfiguration>, has_operator: Option<bool>) -> Vec<Finding> {
    let webhooks = match webhooks {
        Ok(webhooks) => webhooks,
        Err(error) => return vec![Finding::unseen("the MutatingWebhookConfiguration", error)],
    };
    let Some(configuration) = webhooks.first() else {
        let says = "There is no MutatingWebhookConfiguration with the chart's labels: no pod gets an agent.";
        return vec![Finding::error(ABOUT, says, "Install the chart again: helm upgrade --install.")];
    };
    let name = configuration.name_any();
    let hooks = configuration.webhooks.as_deref().unwrap_or_default();
    let mut findings = Vec::new();
    if hooks.len() < 2 {
        let says = format!(
            "MutatingWebhookConfiguration {name} lacks an entry: one is for namespaces that opt in, one for pods."
        );
        findings.push(Finding::error(ABOUT, says, "Install the chart again: helm upgrade --install."));
    }
    for hook in hooks {
        if hook.client_config.ca_bundle.as_ref().is_none_or(|bundle| bundle.0.is_empty()) {
            let says = format!(
                "Webhook {} has no caBundle: the API server cannot call it, and no pod that opted in is created.",
                hook.name
            );
            findings.push(Finding::error(ABOUT, says, "The operator writes it within seconds: read its log."));
        }
        if hook.failure_policy.as_deref() != Some("Fail") {
            let says = format!(
                "Webhook {} does not have failurePolicy Fail: while no operator answers, pods start without an agent.",
                hook.name
            );
            findings.push(Finding::warning(ABOUT, says, "Take back the change, or install the chart again."));
        }
    }
    if has_operator == Some(false) {
        let says = format!(
            "MutatingWebhookConfiguration {name} is there and no operator is: no pod that opted in can be created."
        );
        let advice =
            format!("Bring the operator back; to do without Baton: kubectl delete mutatingwebhookconfiguration {name}");
        findings.push(Finding::error(ABOUT, says, advice));
    }
    if findings.is_empty() {
        findings.push(Finding::good(ABOUT, format!("The webhook {name} can be called.")));
    }
    findings
}

fn versions(server: &str, nodes: &Seen<Node>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if number(server).is_some_and(|version| version < OLDEST) {
        let says = format!("The API server is of Kubernetes {server}: native sidecars need 1.29.");
        findings.push(Finding::error(ABOUT, says, "Upgrade the cluster."));
    }
    match nodes {
        Err(error) => findings.push(Finding::unseen("nodes", error)),
        Ok(nodes) => {
            let kubelet =
                |node: &Node| node.status.as_ref()?.node_info.as_ref().map(|info| info.kubelet_version.clone());
            let old = |node: &&Node| {
                kubelet(node).and_then(|version| number(&version)).is_some_and(|version| version < OLDEST)
            };
            let old: Vec<String> = nodes.iter().filter(old).map(ResourceExt::name_any).collect();
            if !old.is_empty() {
                let names: Vec<&str> = old.iter().map(String::as_str).collect();
                let says = format!(
                    "The kubelets of {} are older than 1.29: they wait for ever for the agent to end.",
                    some(&names)
                );
                findings.push(Finding::error(ABOUT, says, "Upgrade these nodes, or keep such pods away from them."));
            }
        }
    }
    if findings.is_empty() {
        findings.push(Finding::good(ABOUT, format!("Kubernetes {server} and all kubelets run native sidecars.")));
    }
    findings
}

fn ready(operator: &Deployment) -> i32 {
    operator.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default()
}

/// Major and minor of `v1.29.3-eks` or `1.29+`.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split('.');
    let mut part = || parts.next()?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    Some((part()?, part()?))
}

/// Some of many names.
pub(super) fn some(names: &[&str]) -> String {
    match names.len().checked_sub(NAMED) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..NAMED].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::{Level, text};
    use super::*;
    use crate::fixture::object;

    fn operator(replicas: i32, ready: i32) -> Deployment {
        object(json!({
            "metadata": {
                "name": "baton-operator", "namespace": "baton-system",
                "labels": {"app.kubernetes.io/version": env!("CARGO_PKG_VERSION")},
            },
            "spec": {
                "replicas": replicas,
                "selector": {},
                "template": {"spec": {"containers": [{
                    "name": "operator", "env": [{"name": "BATON_AGENT_IMAGE", "value": "agent:2"}],
                }]}},
            },
            "status": {"readyReplicas": ready},
        }))
    }

    fn webhook(policy: &str, bundle: &str) -> MutatingWebhookConfiguration {
        let hook = |name: &str| {
            json!({
                "name": name, "failurePolicy": policy, "clientConfig": {"caBundle": bundle}, "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            })
        };
        object(json!({"metadata": {"name": "baton-operator"}, "webhooks": [hook("namespace"), hook("pod")]}))
    }

    fn established() -> Vec<CustomResourceDefinition> {
        let status = json!({"conditions": [{"type": "Established", "status": "True"}]});
        let with = |(_, mut one): (&str, CustomResourceDefinition)| {
            one.status = Some(object(status.clone()));
            one
        };
        baton_crds::definitions().into_iter().map(with).collect()
    }

    fn node(version: &str) -> Node {
        let info = json!({
            "kubeletVersion": version, "architecture": "", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "",
            "kubeProxyVersion": "", "machineID": "", "operatingSystem": "", "osImage": "", "systemUUID": "",
        });
        object(json!({"metadata": {"name": format!("node-{version}")}, "status": {"nodeInfo": info}}))
    }

    fn installed() -> Installation {
        Installation {
            version: "1.36".into(),
            definitions: Ok(established()),
            operators: Ok(vec![operator(1, 1)]),
            webhooks: Ok(vec![webhook("Fail", "QUJD")]),
            nodes: Ok(vec![node("v1.36.3")]),
        }
    }

    fn errors(installation: &Installation) -> String {
        let mut findings = check(installation);
        findings.retain(|finding| finding.level == Level::Error);
        text(&findings, false)
    }

    #[test]
    fn an_installation_as_the_chart_makes_it_is_good() {
        let findings = check(&installed());
        assert!(findings.iter().all(|finding| finding.level == Level::Good), "{}", text(&findings, true));
        assert_eq!(installed().agent_image().as_deref(), Some("agent:2"));
    }

    #[test]
    fn what_is_missing_is_an_error() {
        let nothing =
            Installation { definitions: Ok(vec![]), operators: Ok(vec![]), webhooks: Ok(vec![]), ..installed() };
        let text = errors(&nothing);
        for part in
            ["handoffgroups.baton.dev is missing", "No operator is installed", "no pod gets an agent", "5 errors"]
        {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }

    #[test]
    fn what_may_not_be_read_is_not_called_missing() {
        let refused = || "forbidden".to_owned();
        let blind = Installation {
            version: "1.36".into(),
            definitions: Err(refused()),
            operators: Err(refused()),
            webhooks: Err(refused()),
            nodes: Err(refused()),
        };
        let findings = check(&blind);
        assert!(findings.len() == 4 && findings.iter().all(|finding| finding.level == Level::Hint), "{findings:?}");
    }

    #[test]
    fn an_operator_that_is_away_stops_the_creation_of_pods() {
        let text = errors(&Installation { operators: Ok(vec![operator(1, 0)]), ..installed() });
        assert!(text.contains("is not ready") && text.contains("no pod that opted in can be created"), "{text}");
        let text = errors(&Installation { operators: Ok(vec![operator(0, 0)]), ..installed() });
        assert!(text.contains("is scaled to 0"), "{text}");
        let text = errors(&Installation { operators: Ok(vec![operator(1, 1), operator(1, 1)]), ..installed() });
        assert!(text.contains("Several operators"), "{text}");
    }

    #[test]
    fn a_webhook_that_cannot_be_called_or_lets_pods_pass_is_shown() {
        assert!(
            errors(&Installation { webhooks: Ok(vec![webhook("Fail", "")]), ..installed() })
                .contains("has no caBundle")
        );
        let findings = check(&Installation { webhooks: Ok(vec![webhook("Ignore", "QUJD")]), ..installed() });
        assert_eq!(findings.iter().filter(|finding| finding.level == Level::Warning).count(), 2);
    }

    #[test]
    fn definitions_of_another_release_are_told_apart() {
        let change = |lacks: bool| {
            let mut all = established();
            let schema = all[0].spec.versions[0].schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
            let spec = schema.and_then(|schema| schema.properties.as_mut()?.get_mut("spec")).expect("a schema");
            let fields = spec.properties.as_mut().expect("fields");
            if lacks {
                fields.remove("handoff")
            } else {
                fields.insert("lodgers".into(), Default::default())
            };
            text(&definitions(&Ok(all)), false)
        };
        assert!(change(true).contains("WARNING") && change(true).contains("drops spec.handoff"), "{}", change(true));
        assert!(change(false).contains("HINT") && change(false).contains("newer release"), "{}", change(false));
    }

    #[test]
    fn old_kubelets_are_named() {
        let old = Installation { nodes: Ok(vec![node("v1.28.15-eks"), node("v1.29.0")]), ..installed() };
        assert!(errors(&old).contains("The kubelets of node-v1.28.15-eks are older"), "{}", errors(&old));
        let server = Installation { version: "1.28+".into(), ..installed() };
        assert!(errors(&server).contains("API server is of Kubernetes 1.28+"));
        assert_eq!(some(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e and 2 more");
    }
}
