//! What the operator keeps of a pod: a few hundred bytes, not the object.

use std::collections::BTreeMap;

use baton_crds::label;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

/// The label that newer Kubernetes copies from the node to its pods.
const ZONE: &str = "topology.kubernetes.io/zone";

/// What the operator knows of one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// The pod's name.
    pub name: String,
    /// The pod's UID: another pod of the same name has another.
    pub uid: String,
    /// The pod's labels.
    pub labels: BTreeMap<String, String>,
    /// The node, empty while the pod is not scheduled.
    pub node: String,
    /// The node's zone, empty if Kubernetes does not say.
    pub zone: String,
    /// What made the pod.
    pub owner: Option<Owner>,
    /// How far the pod's life is.
    pub life: Life,
    /// The agent in it.
    pub agent: Agent,
}

/// The controller of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Such as `ReplicaSet`.
    pub kind: String,
    /// The controller's name.
    pub name: String,
    /// The controller's UID.
    pub uid: String,
}

/// How far a pod's life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It is not going away, as far as the API server knows.
    Running,
    /// It has a deletion timestamp.
    Terminating {
        /// The real grace period of the deletion.
        grace_seconds: u64,
    },
    /// It has a terminal phase: none of its containers will run again.
    Finished,
}

/// What an opt-in label says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptIn {
    /// An agent is asked for.
    Enabled,
    /// An agent is refused.
    Disabled,
    /// There is no such label, or it says something else.
    Unsaid,
}

/// The agent's container in a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agent {
    /// The pod has none, and never had.
    Absent,
    /// It has none and is given none: its network is the node's, where the agent's ports would collide.
    Impossible,
    /// It was given one, and has none: another webhook removed it.
    Removed,
    /// It has one that Kubernetes would not run beside the app: another webhook dropped its restart policy.
    Broken,
    /// It has one.
    Present {
        /// Whether its startup probe has passed, so that it may hold state.
        started: bool,
        /// How it ended, once it has ended for good.
        termination: Option<Termination>,
    },
}

/// How the agent's container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// The exit code.
    pub exit_code: i32,
    /// The termination message, JSON if the agent wrote it.
    pub message: String,
}

// === impl PodFacts ===

impl PodFacts {
    /// What is kept of a pod; nothing of one without name and UID, which the API server never sends.
    pub fn of(pod: &Pod) -> Option<Self> {
        let meta = &pod.metadata;
        let labels = meta.labels.clone().unwrap_or_default();
        let life = life(pod);
        Some(Self {
            name: meta.name.clone()?,
            uid: meta.uid.clone()?,
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            zone: labels.get(ZONE).cloned().unwrap_or_default(),
            owner: meta
                .owner_references
                .iter()
                .flatten()
                .find(|owner| owner.controller == Some(true))
                .map(|owner| Owner { kind: owner.kind.clone(), name: owner.name.clone(), uid: owner.uid.clone() }),
            agent: agent(pod, life),
            labels,
            life,
        })
    }

    /// What the pod's own label says about an agent.
    pub fn opt_in(&self) -> OptIn {
        OptIn::of(&self.labels)
    }

    /// Whether the pod's labels say that it is a keeper; what proves it is who made it.
    pub fn claims_to_keep(&self) -> bool {
        is_keeper(&self.labels)
    }

    /// The StatefulSet that has made a pod which says that it is a keeper.
    pub fn keeper_set(&self) -> Option<&Owner> {
        self.owner.as_ref().filter(|owner| self.claims_to_keep() && owner.kind == "StatefulSet")
    }

    /// The group that the pod was injected for, or that it keeps the state of.
    pub fn injected_for(&self) -> Option<&str> {
        self.labels.get(label::GROUP).map(String::as_str)
    }

    /// How the agent ended, once it has ended for good.
    pub fn termination(&self) -> Option<&Termination> {
        match &self.agent {
            Agent::Present { termination, .. } => termination.as_ref(),
            Agent::Absent | Agent::Impossible | Agent::Removed | Agent::Broken => None,
        }
    }
}

// === impl OptIn ===

impl OptIn {
    /// What these labels, of a pod or a namespace, say about an agent.
    pub fn of(labels: &BTreeMap<String, String>) -> Self {
        match labels.get(label::INJECT).map(String::as_str) {
            Some(label::INJECT_ENABLED) => Self::Enabled,
            Some(label::INJECT_DISABLED) => Self::Disabled,
            _ => Self::Unsaid,
        }
    }
}

fn life(pod: &Pod) -> Life {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return Life::Finished;
    }
    if pod.metadata.deletion_timestamp.is_none() {
        return Life::Running;
    }
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
    Life::Terminating { grace_seconds: u64::try_from(grace).unwrap_or_default() }
}

fn is_keeper(labels: &BTreeMap<String, String>) -> bool {
    labels.get(label::KEEPER).is_some_and(|value| value == label::KEEPER_TRUE)
}

fn agent(pod: &Pod, life: Life) -> Agent {
    // A keeper's agent has nothing to run beside.
    let alone = pod.metadata.labels.as_ref().is_some_and(is_keeper);
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let (containers, statuses) = if alone {
        (spec.map(|spec| &spec.containers), status.and_then(|status| status.container_statuses.as_ref()))
    } else {
        let sidecars = spec.and_then(|spec| spec.init_containers.as_ref());
        (sidecars, status.and_then(|status| status.init_container_statuses.as_ref()))
    };
    let mut containers = containers.into_iter().flatten();
    let Some(container) = containers.find(|container| container.name == label::AGENT_CONTAINER) else {
        return without(pod);
    };
    if !alone && container.restart_policy.as_deref() != Some("Always") {
        return Agent::Broken;
    }
    let status = statuses.into_iter().flatten().find(|status| status.name == label::AGENT_CONTAINER);
    Agent::Present {
        started: status.is_some_and(|status| status.started == Some(true)),
        // While the pod stays, the container is only started again.
        termination: status.filter(|_| life != Life::Running).and_then(termination),
    }
}

fn without(pod: &Pod) -> Agent {
    if pod.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(label::INJECTED)) {
        return Agent::Removed;
    }
    let on_node = pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true));
    if on_node { Agent::Impossible } else { Agent::Absent }
}

fn termination(status: &ContainerStatus) -> Option<Termination> {
    let terminated = status.state.as_ref()?.terminated.as_ref()?;
    Some(Termination { exit_code: terminated.exit_code, message: terminated.message.clone().unwrap_or_default() })
}
