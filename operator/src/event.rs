//! Events: what happened to a pod or a group, in a sentence for people.

use baton_crds::HandoffGroup;
use baton_crds::status::HandoffOutcome;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::Resource;
use kube::runtime::events::{self, EventType, Recorder};

use crate::api::{ApiError, ApiServer};
use crate::handoff::Receipt;
use crate::index::GroupFacts;
use crate::word::words;

/// The most bytes that Kubernetes takes of an event's note.
const NOTE: usize = 1_024;

words! {
    /// Why an event is published.
    pub enum Reason {
        /// A member began to leave.
        HandoffStarted,
        /// Survivors have all that it held.
        HandoffAcknowledged,
        /// They do not, or not all that the group waits for has happened.
        HandoffFailed,
        /// It ended without a word.
        HandoffUnknown,
        /// A selected pod has no working agent.
        AgentNotInjected,
        /// A selected pod belongs to another group.
        GroupConflict,
        /// The selector matches no pod.
        NoPodsSelected,
        /// The selector can match no pod.
        InvalidSelector,
        /// A replica was let start empty although members with state have not ended.
        StartedEmpty,
        /// A member was removed although its pod has not ended.
        MemberForgotten,
        /// Keepers cannot be as the spec says.
        KeepersNotMade,
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its reason, one of a documented list.
    pub reason: Reason,
    /// What was done.
    pub action: &'static str,
    /// Whether someone should look.
    pub warning: bool,
    /// The sentence.
    pub note: String,
    /// The pod that it is about, besides the group.
    pub pod: Option<(String, String)>,
}

/// Publishes events.
#[derive(Clone)]
pub struct Announcer {
    api: ApiServer,
    recorder: Recorder,
}

// === impl Event ===

impl Event {
    /// A pod began to leave.
    pub fn started(pod_name: &str, pod_uid: &str) -> Self {
        let note = format!("Pod {pod_name} is leaving; its state is being handed off.");
        Self::about(Reason::HandoffStarted, "HandOff", false, note, pod_name, pod_uid)
    }

    /// A handoff has ended.
    pub fn concluded(receipt: &Receipt) -> Self {
        let (reason, warning) = match receipt.outcome {
            HandoffOutcome::Acknowledged | HandoffOutcome::NothingToHandOff => (Reason::HandoffAcknowledged, false),
            HandoffOutcome::Failed => (Reason::HandoffFailed, true),
            HandoffOutcome::Unknown => (Reason::HandoffUnknown, true),
        };
        Self::about(reason, "HandOff", warning, conclusion(receipt), &receipt.pod_name, &receipt.pod_uid)
    }

    /// Something about one pod.
    pub fn about(
        reason: Reason,
        action: &'static str,
        warning: bool,
        note: String,
        pod_name: &str,
        pod_uid: &str,
    ) -> Self {
        Self { reason, action, warning, note, pod: Some((pod_name.to_owned(), pod_uid.to_owned())) }
    }

    /// Something about the group.
    pub fn of_group(reason: Reason, action: &'static str, warning: bool, note: String) -> Self {
        Self { reason, action, warning, note, pod: None }
    }
}

// === impl Announcer ===

impl Announcer {
    /// Publishes in the name of this operator.
    pub fn new(api: ApiServer, instance: Option<String>) -> Self {
        let reporter = events::Reporter { controller: "baton-operator".into(), instance };
        Self { recorder: Recorder::new(api.client(), reporter), api }
    }

    /// Publishes an event on the group, and on the pod if it is about one. An event that cannot be published
    /// is logged: events are never the only record.
    pub async fn publish(&self, group: &GroupFacts, event: &Event) {
        let published = events::Event {
            type_: if event.warning { EventType::Warning } else { EventType::Normal },
            reason: event.reason.as_str().into(),
            note: Some(cut(&event.note)),
            action: event.action.into(),
            secondary: None,
        };
        let pod = event.pod.as_ref().map(|(name, uid)| pod_reference(group, name, uid));
        for reference in std::iter::once(group_reference(group)).chain(pod) {
            let result = self.api.write(self.recorder.publish(&published, &reference)).await;
            if let Some(error) = result.err().filter(ApiError::is_news) {
                tracing::warn!(group = %group.key, reason = event.reason.as_str(), note = event.note, error = %error, "An event could not be published");
            }
        }
    }
}

/// How a handoff ended, in a sentence.
pub fn conclusion(receipt: &Receipt) -> String {
    let Receipt { pod_name, keys, keys_unacknowledged, survivors, hold_millis, message, .. } = receipt;
    let detail = if message.is_empty() { String::new() } else { format!(" ({message})") };
    match receipt.outcome {
        HandoffOutcome::Acknowledged if receipt.is_kept_waiting() => {
            format!("Pod {pod_name} handed off {}{detail}.", count(*keys))
        }
        HandoffOutcome::Acknowledged if survivors.is_empty() => {
            format!("Pod {pod_name} handed off {} in {hold_millis} ms.", count(*keys))
        }
        HandoffOutcome::Acknowledged => {
            format!("Pod {pod_name} handed off {} to {} in {hold_millis} ms.", count(*keys), survivors.join(", "))
        }
        HandoffOutcome::NothingToHandOff => format!("Pod {pod_name} held nothing to hand off."),
        HandoffOutcome::Failed if receipt.released => {
            format!("The departure of pod {pod_name} was ended before its handoff was complete{detail}.")
        }
        HandoffOutcome::Failed if *keys == 0 && *keys_unacknowledged == 0 => {
            format!("Pod {pod_name} ended without having handed off its state{detail}.")
        }
        HandoffOutcome::Failed if receipt.is_kept_waiting() => {
            format!("The hold of pod {pod_name} ended before its keys were taken over{detail}.")
        }
        HandoffOutcome::Failed => format!(
            "Pod {pod_name} ended although no survivor had acknowledged {keys_unacknowledged} of its {}{detail}.",
            count(*keys)
        ),
        HandoffOutcome::Unknown => format!("Nobody knows how the handoff of pod {pod_name} ended{detail}."),
    }
}

fn count(keys: u64) -> String {
    if keys == 1 { "1 key".into() } else { format!("{keys} keys") }
}

fn cut(note: &str) -> String {
    note.char_indices().take_while(|(at, c)| at + c.len_utf8() <= NOTE).map(|(_, c)| c).collect()
}

fn group_reference(group: &GroupFacts) -> ObjectReference {
    reference(HandoffGroup::api_version(&()).into_owned(), "HandoffGroup", group, &group.key.name, &group.uid)
}

fn pod_reference(group: &GroupFacts, name: &str, uid: &str) -> ObjectReference {
    reference(Pod::api_version(&()).into_owned(), "Pod", group, name, uid)
}

fn reference(api_version: String, kind: &str, group: &GroupFacts, name: &str, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(api_version),
        kind: Some(kind.into()),
        namespace: Some(group.key.namespace.clone()),
        name: Some(name.into()),
        uid: Some(uid.into()),
        ..ObjectReference::default()
    }
}
