//! What is so of a group that was not so at the last look, as events.

use std::collections::{BTreeMap, BTreeSet};

use baton_crds::HandoffGroupStatus;
use baton_crds::membership::ReplicaId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::condition::{Kind, Reason};
use super::derive::unprotected;
use super::trouble;
use crate::event::{self, Event};
use crate::index::{Agent, GroupView, OptIn, PodView};

/// What was announced, and is still so.
#[derive(Debug, Default)]
pub(super) struct News {
    /// UIDs of pods without an agent.
    unprotected: BTreeSet<String>,
    /// Members that were removed.
    forgotten: BTreeSet<ReplicaId>,
    /// The other groups of pods, by the pods' names.
    conflicts: BTreeMap<String, String>,
}

// === impl News ===

impl News {
    /// What is to be announced now. `before` is what was last said of the group.
    pub(super) fn look(
        &mut self,
        view: &GroupView,
        before: &HandoffGroupStatus,
        status: &HandoffGroupStatus,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        self.pods_without_agents(view, &mut events);
        self.pods_of_others(view, &mut events);
        self.removed_members(view, &mut events);
        selectors(before, status, &mut events);
        events
    }

    fn pods_without_agents(&mut self, view: &GroupView, events: &mut Vec<Event>) {
        let unprotected = unprotected(view);
        for pod in &unprotected {
            if !self.unprotected.insert(pod.facts.uid.clone()) {
                continue;
            }
            let (name, why) = (&pod.facts.name, lack(pod, view.namespace_opt_in));
            let note =
                format!("Pod {name} is selected and has no working agent, so its state is not protected: {why}.");
            let reason = event::Reason::AgentNotInjected;
            events.push(Event::about(reason, "Inject", true, note, name, &pod.facts.uid));
        }
        self.unprotected.retain(|uid| unprotected.iter().any(|pod| pod.facts.uid == *uid));
    }

    fn pods_of_others(&mut self, view: &GroupView, events: &mut Vec<Event>) {
        for (pod, winner) in view.conflicts.iter().filter(|(pod, winner)| self.conflicts.get(*pod) != Some(*winner)) {
            let note = format!(
                "Pod {pod} is selected by this group and belongs to the HandoffGroup {winner}, which is older or already has it as a member."
            );
            events.push(Event::of_group(event::Reason::GroupConflict, "Select", true, note));
        }
        self.conflicts.clone_from(&view.conflicts);
    }

    fn removed_members(&mut self, view: &GroupView, events: &mut Vec<Event>) {
        for row in trouble::forgotten(view).filter(|row| !self.forgotten.contains(&row.replica)) {
            let note = format!(
                "Pod {} was removed from the group: nobody has reached its agent for as long as membership.forgetAfter allows, or the others had to remember more deleted keys than membership.forgetAbove. What it alone holds is missing until it comes back.",
                row.pod_name
            );
            let reason = event::Reason::MemberForgotten;
            events.push(Event::about(reason, "Remove", true, note, &row.pod_name, &row.pod_uid));
        }
        self.forgotten = trouble::forgotten(view).map(|row| row.replica).collect();
    }
}

/// Why a pod has no working agent, and what to do.
fn lack(pod: &PodView, namespace: OptIn) -> String {
    let another = |what: &str| {
        format!(
            "its agent {what}, as by another mutating webhook; look for it with kubectl get mutatingwebhookconfigurations, have it leave the container baton-agent as it is, and restart the workload"
        )
    };
    match (&pod.facts.agent, pod.facts.opt_in(), namespace) {
        (Agent::Broken, ..) => another("lost its restart policy"),
        (Agent::Removed, ..) => another("was removed after it was injected"),
        (Agent::Impossible, ..) => {
            "pods with hostNetwork are given none, since its ports would collide on the node".to_owned()
        }
        (_, OptIn::Enabled, _) | (_, _, OptIn::Enabled) => {
            "it was created before it could be injected; restart its workload".to_owned()
        }
        _ => "neither it nor its namespace has the label baton.dev/inject: enabled; label the pod template".to_owned(),
    }
}

fn selectors(before: &HandoffGroupStatus, status: &HandoffGroupStatus, events: &mut Vec<Event>) {
    let (none, never) = (event::Reason::NoPodsSelected, event::Reason::InvalidSelector);
    for (reason, event) in [(Reason::NoPodsSelected, none), (Reason::InvalidSelector, never)] {
        let ready = |conditions: &[Condition]| {
            Kind::Ready.of(conditions).filter(|one| one.reason == reason.as_str()).map(|one| one.message.clone())
        };
        if let Some(note) = ready(&status.conditions).filter(|_| ready(&before.conditions).is_none()) {
            events.push(Event::of_group(event, "Select", event == never, note));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::fixture::{pod, view};
    use crate::index::PodFacts;

    /// What is said of a pod of the group that opted in and has these metadata and this spec besides.
    fn told(annotations: Value, spec: Value) -> String {
        let labels = json!({"app": "web", "baton.dev/group": "web", "baton.dev/inject": "enabled"});
        let object = json!({"metadata": {"name": "a", "uid": "uid-a", "labels": labels, "annotations": annotations},
            "spec": spec});
        let facts = PodFacts::of(&serde_json::from_value(object).expect("a pod")).expect("facts");
        let mut view = view(&[pod("a")]);
        view.pods.get_mut("a").expect("a pod").facts = Arc::new(facts);
        let (mut news, status) = (News::default(), HandoffGroupStatus::default());
        let events = news.look(&view, &status, &status);
        assert!(news.look(&view, &status, &status).is_empty(), "it is said once");
        events.into_iter().map(|event| event.note).collect()
    }

    #[test]
    fn a_pod_without_a_working_agent_is_told_why_and_what_to_do() {
        let injected = || json!({"baton.dev/injected": "agent:1"});
        let late = told(json!({}), json!({"containers": []}));
        assert!(late.ends_with("it was created before it could be injected; restart its workload."), "{late}");
        let removed = told(injected(), json!({"containers": []}));
        assert!(removed.contains("was removed after it was injected, as by another mutating webhook"), "{removed}");
        let broken = told(injected(), json!({"containers": [], "initContainers": [{"name": "baton-agent"}]}));
        assert!(broken.contains("lost its restart policy, as by another mutating webhook"), "{broken}");
        let on_node = told(json!({}), json!({"containers": [], "hostNetwork": true}));
        assert!(on_node.ends_with("pods with hostNetwork are given none, since its ports would collide on the node."));
        for note in [removed, broken] {
            assert!(note.contains("mutatingwebhookconfigurations"), "{note}");
        }
    }
}
