//! The objects of a group's keepers.

use std::fmt::Write;

use baton_crds::label;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Resource;
use serde_json::{Value, json};

use crate::index::GroupFacts;
use crate::injector::{ADMIN, DEFAULT_GRACE, Injection, PEER, agent, grace_seconds, volumes};

/// The longest name of a StatefulSet: its pods have a label with it and a hash.
const NAME: usize = 52;

/// How the name ends.
const SUFFIX: &str = "-keeper";

/// How much of the group's UID is in a name that the group's own does not fit into.
const UID: usize = 8;

/// What keepers are made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Objects {
    /// The name of all three.
    pub(super) name: String,
    /// The agents.
    pub(super) set: Value,
    /// Drains take one of them at a time.
    pub(super) budget: Value,
    /// They take connections from the group only.
    pub(super) policy: Value,
}

// === impl Objects ===

impl Objects {
    /// What the spec of a group wants; `injection` is what the pods of its apps get.
    pub(super) fn of(group: &GroupFacts, injection: Injection) -> Self {
        let name = name(group);
        let selector = json!({ label::GROUP: group.key.name, label::KEEPER: label::KEEPER_TRUE });
        let set = json!({
            "replicas": group.spec.keepers.replicas,
            "serviceName": name,
            // All come and go at once, but for a rollout: there, the next one goes when the last one is back and in sync.
            "podManagementPolicy": "Parallel",
            "updateStrategy": { "type": "RollingUpdate" },
            "selector": { "matchLabels": selector },
            "template": { "metadata": pod_metadata(group), "spec": pod(group, injection, &selector) },
        });
        let budget = json!({
            "maxUnavailable": 1,
            // One that does not come up holds no drain up.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": { "matchLabels": selector },
        });
        let port = |port: u16| json!([{ "port": port, "protocol": "TCP" }]);
        let members = json!({ "podSelector": { "matchLabels": { label::GROUP: group.key.name } } });
        let policy = json!({
            "podSelector": { "matchLabels": selector },
            "policyTypes": ["Ingress"],
            // Probes come from the node, and scrapes from anywhere: there is no data behind them.
            "ingress": [{ "ports": port(PEER), "from": [members] }, { "ports": port(ADMIN) }],
        });
        Self {
            set: object::<StatefulSet>(group, &name, set),
            budget: object::<PodDisruptionBudget>(group, &name, budget),
            policy: object::<NetworkPolicy>(group, &name, policy),
            name,
        }
    }
}

/// The name of a group's keepers: its own with a suffix, if that can be part of a pod's hostname.
pub(super) fn name(group: &GroupFacts) -> String {
    let own = &group.key.name;
    if own.len() + SUFFIX.len() <= NAME && !own.contains('.') {
        return format!("{own}{SUFFIX}");
    }
    let room = NAME - SUFFIX.len() - UID - 1;
    let mut name: String = own.chars().take(room).map(|c| if c == '.' { '-' } else { c }).collect();
    let uid: String = group.uid.chars().filter(char::is_ascii_alphanumeric).take(UID).collect();
    // Writing to a text does not fail.
    let _ = write!(name, "-{uid}{SUFFIX}");
    name
}

fn object<K: Resource<DynamicType = ()>>(group: &GroupFacts, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {
            "name": name,
            "namespace": group.key.namespace,
            "labels": labels(group),
            "ownerReferences": [group.owner_reference()],
        },
        "spec": spec,
    })
}

fn labels(group: &GroupFacts) -> Value {
    json!({
        "app.kubernetes.io/name": "baton",
        "app.kubernetes.io/component": "keeper",
        "app.kubernetes.io/managed-by": "baton-operator",
        label::GROUP: group.key.name,
        label::KEEPER: label::KEEPER_TRUE,
    })
}

/// The pods have their agent already, whatever their namespace asks for, and need no proxy of a mesh.
fn pod_metadata(group: &GroupFacts) -> Value {
    let mut labels = labels(group);
    labels[label::INJECT] = json!(label::INJECT_DISABLED);
    // Members are mutual TLS by themselves, and those with an app go past their mesh's proxy.
    labels["sidecar.istio.io/inject"] = json!("false");
    json!({ "labels": labels, "annotations": { "linkerd.io/inject": "disabled" } })
}

fn pod(group: &GroupFacts, injection: Injection, selector: &Value) -> Value {
    let resources = group.spec.keepers.resources.clone().or(injection.resources.clone());
    let grace = grace_seconds(injection.timeout).max(DEFAULT_GRACE);
    let mut agent = agent(&Injection { resources, ..injection }, grace, false);
    if let Some(agent) = agent.as_object_mut() {
        // It is the pod's main container.
        agent.remove("restartPolicy");
    }
    if let Some(environment) = agent["env"].as_array_mut() {
        environment.push(json!({ "name": "BATON_KEEPER", "value": "true" }));
    }
    // One that lies badly is better than none. Nodes without a zone do not count in a spread over zones, nor in another
    // beside it: nodes of their own are therefore asked for by affinity.
    let keepers = json!({ "matchLabels": selector });
    let spread = json!({
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": keepers,
    });
    let apart = json!({
        "weight": 100,
        "podAffinityTerm": { "topologyKey": "kubernetes.io/hostname", "labelSelector": keepers },
    });
    json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": grace,
        "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        "topologySpreadConstraints": [spread],
        "affinity": { "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [apart] } },
        "containers": [agent],
        "volumes": volumes(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fixture;

    fn group(change: impl FnOnce(&mut GroupFacts)) -> GroupFacts {
        let mut group = fixture::group("web", 0);
        group.spec.keepers.replicas = 2;
        change(&mut group);
        group
    }

    fn objects(group: &GroupFacts) -> Objects {
        let injection = Injection::of(&group.key.name, &group.spec, &fixture::defaults());
        Objects::of(group, injection)
    }

    #[test]
    fn the_group_owns_all_that_is_made_for_it() {
        let group = group(|_| {});
        let made = objects(&group);
        serde_json::from_value::<StatefulSet>(made.set.clone()).expect("a StatefulSet");
        serde_json::from_value::<PodDisruptionBudget>(made.budget.clone()).expect("a PodDisruptionBudget");
        serde_json::from_value::<NetworkPolicy>(made.policy.clone()).expect("a NetworkPolicy");
        for object in [&made.set, &made.budget, &made.policy] {
            assert_eq!(object["metadata"]["name"], "web-keeper");
            assert_eq!(object["metadata"]["namespace"], "shop");
            assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], group.uid.as_str());
            assert_eq!(object["metadata"]["ownerReferences"][0]["controller"], true);
        }
    }

    #[test]
    fn a_keeper_is_an_agent_as_it_is_injected_that_has_its_pod_to_itself() {
        let group = group(|_| {});
        let set = objects(&group).set;
        let (spec, pod) = (&set["spec"], &set["spec"]["template"]["spec"]);
        assert_eq!((&spec["replicas"], &spec["updateStrategy"]["type"]), (&json!(2), &json!("RollingUpdate")));
        let labels = &spec["template"]["metadata"]["labels"];
        assert_eq!((&labels[label::GROUP], &labels[label::KEEPER]), (&json!("web"), &json!("true")));
        assert_eq!(labels[label::INJECT], label::INJECT_DISABLED);
        let meta = &spec["template"]["metadata"];
        assert_eq!(meta["labels"]["sidecar.istio.io/inject"], "false");
        assert_eq!(meta["annotations"], json!({ "linkerd.io/inject": "disabled" }));
        for (name, value) in spec["selector"]["matchLabels"].as_object().expect("labels") {
            assert_eq!(&labels[name], value);
        }
        let [container] = pod["containers"].as_array().expect("containers").as_slice() else { panic!("{pod}") };
        assert_eq!((&container["name"], &container["image"]), (&json!(label::AGENT_CONTAINER), &json!("agent:1")));
        assert_eq!(container["restartPolicy"], json!(null));
        assert_eq!(container["lifecycle"]["preStop"]["exec"]["command"], json!(["/baton-agent", "drain"]));
        assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
        let environment = container["env"].as_array().expect("variables");
        let says = |name: &str| environment.iter().find(|one| one["name"] == name).map(|one| one["value"].clone());
        assert_eq!(says("BATON_KEEPER"), Some(json!("true")));
        assert_eq!(says("BATON_GROUP"), Some(json!("web")));
        assert_eq!(
            (says("BATON_GRACE_SECONDS"), &pod["terminationGracePeriodSeconds"]),
            (Some(json!("30")), &json!(30))
        );
        assert_eq!(pod["initContainers"], json!(null));
        let ports = container["ports"].as_array().expect("ports").iter().map(|port| port["containerPort"].clone());
        assert_eq!(ports.collect::<Vec<_>>(), [7072, 7073], "nothing for an app");
    }

    #[test]
    fn keepers_keep_apart_where_they_can() {
        let set = objects(&group(|_| {})).set;
        let (spec, pod) = (&set["spec"], &set["spec"]["template"]["spec"]);
        let [zone] = pod["topologySpreadConstraints"].as_array().expect("a list").as_slice() else { panic!("{pod}") };
        assert_eq!(zone["topologyKey"], "topology.kubernetes.io/zone");
        assert_eq!(zone["whenUnsatisfiable"], "ScheduleAnyway");
        assert_eq!(zone["labelSelector"]["matchLabels"], spec["selector"]["matchLabels"]);
        let preferred = &pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
        let node = &preferred[0]["podAffinityTerm"];
        assert_eq!(node["topologyKey"], "kubernetes.io/hostname");
        assert_eq!(node["labelSelector"]["matchLabels"], spec["selector"]["matchLabels"]);
    }

    #[test]
    fn keepers_have_the_agents_resources_unless_they_have_their_own() {
        let resources =
            |group: &GroupFacts| objects(group).set["spec"]["template"]["spec"]["containers"][0]["resources"].clone();
        let amounts =
            |cpu: &str| Some(serde_json::from_value(json!({ "requests": { "cpu": cpu } })).expect("resources"));
        assert_eq!(resources(&group(|_| {}))["requests"]["cpu"], "10m");
        let mut group = group(|group| group.spec.agent.resources = amounts("20m"));
        assert_eq!(resources(&group)["requests"]["cpu"], "20m");
        group.spec.keepers.resources = amounts("30m");
        assert_eq!(resources(&group)["requests"]["cpu"], "30m");
    }

    #[test]
    fn a_longer_hold_gets_a_longer_grace_period() {
        let set = objects(&group(|group| group.spec.handoff.timeout = baton_crds::Duration::from_secs(90))).set;
        let pod = &set["spec"]["template"]["spec"];
        assert_eq!(pod["terminationGracePeriodSeconds"], grace_seconds(Duration::from_secs(90)));
    }

    #[test]
    fn only_members_reach_a_keepers_data() {
        let made = objects(&group(|_| {}));
        let policy = &made.policy["spec"];
        assert_eq!(policy["podSelector"], made.set["spec"]["selector"]);
        let rules = policy["ingress"].as_array().expect("rules");
        assert_eq!(rules.len(), 2);
        assert_eq!(rules[0]["ports"][0]["port"], 7072);
        assert_eq!(rules[0]["from"], json!([{ "podSelector": { "matchLabels": { label::GROUP: "web" } } }]));
        assert_eq!((&rules[1]["ports"][0]["port"], &rules[1]["from"]), (&json!(7073), &json!(null)));
    }

    #[test]
    fn a_drain_takes_one_keeper_at_a_time_and_is_not_held_up_by_one_that_does_not_come_up() {
        let made = objects(&group(|_| {}));
        let budget = &made.budget["spec"];
        assert_eq!((&budget["maxUnavailable"], &budget["selector"]), (&json!(1), &made.set["spec"]["selector"]));
        assert_eq!(budget["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    }

    #[test]
    fn names_fit_into_a_pods_hostname_and_labels() {
        let named = |own: &str| {
            let mut group = fixture::group(own, 0);
            group.uid = "1f2e3d4c-5b6a-7988".into();
            name(&group)
        };
        assert_eq!(named("web"), "web-keeper");
        assert_eq!(named("web.v2"), "web-v2-1f2e3d4c-keeper");
        let longest = named(&"a".repeat(63));
        assert!(longest.len() == NAME && longest.ends_with("-1f2e3d4c-keeper"), "{longest}");
        assert_eq!(named(&"a".repeat(45)).len(), NAME);
    }
}
