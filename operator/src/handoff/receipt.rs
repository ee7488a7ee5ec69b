//! One word about the departure of a replica, whoever brought it.

use baton_crds::membership::ReplicaId;
use baton_crds::status::HandoffOutcome;
use serde::Deserialize;

use crate::index::Termination;

/// What is said about one departure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Who leaves.
    pub replica: ReplicaId,
    /// Its pod's name.
    pub pod_name: String,
    /// Its pod's UID.
    pub pod_uid: String,
    /// How far the departure is.
    pub stage: Stage,
    /// How it ended so far.
    pub outcome: HandoffOutcome,
    /// How many keys the replica held.
    pub keys: u64,
    /// How many of them no survivor had acknowledged.
    pub keys_unacknowledged: u64,
    /// Keys that the replica still owned, if the group waits for them to have another owner.
    pub keys_unadopted: u64,
    /// Keys whose new owner's app has not confirmed them, if the group waits for that.
    pub keys_unconfirmed: u64,
    /// Whether a person ended the departure.
    pub released: bool,
    /// The pods of the survivors that covered everything.
    pub survivors: Vec<String>,
    /// How many bytes of keys and values the replica held.
    pub bytes: u64,
    /// How long the hook held the pod, in milliseconds.
    pub hold_millis: u64,
    /// How long the replica was sealed before it exited, in milliseconds.
    pub tail_millis: u64,
    /// A sentence for people.
    pub message: String,
}

/// How far a departure is. The order is the direction of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The drain began.
    Started,
    /// The preStop hook returned.
    Hook,
    /// The agent exits.
    Sealed,
}

/// The termination message that an agent writes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    outcome: MessageOutcome,
    #[serde(default)]
    keys: u64,
    #[serde(default)]
    keys_unacknowledged: u64,
    #[serde(default)]
    keys_unadopted: u64,
    #[serde(default)]
    keys_unconfirmed: u64,
    #[serde(default)]
    released: bool,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    survivors: Vec<String>,
    #[serde(default)]
    hold_millis: u64,
    #[serde(default)]
    tail_millis: u64,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum MessageOutcome {
    Acknowledged,
    Failed,
    Nothing,
}

// === impl Receipt ===

impl Receipt {
    /// Whether nothing is lost, but what the pod owned was not taken over as far as the group asks.
    pub fn is_kept_waiting(&self) -> bool {
        self.keys_unacknowledged == 0 && (self.keys_unadopted > 0 || self.keys_unconfirmed > 0)
    }

    /// The receipt in the way an agent's container ended; none if it was killed before it could write one.
    pub fn of_termination(replica: ReplicaId, pod_name: &str, pod_uid: &str, how: &Termination) -> Option<Self> {
        let receipt = |outcome| Self {
            replica,
            pod_name: pod_name.to_owned(),
            pod_uid: pod_uid.to_owned(),
            stage: Stage::Sealed,
            outcome,
            keys: 0,
            keys_unacknowledged: 0,
            keys_unadopted: 0,
            keys_unconfirmed: 0,
            released: false,
            bytes: 0,
            survivors: Vec::new(),
            hold_millis: 0,
            tail_millis: 0,
            message: String::new(),
        };
        if let Ok(said) = serde_json::from_str::<Message>(&how.message) {
            let outcome = match said.outcome {
                MessageOutcome::Acknowledged => HandoffOutcome::Acknowledged,
                MessageOutcome::Failed => HandoffOutcome::Failed,
                MessageOutcome::Nothing => HandoffOutcome::NothingToHandOff,
            };
            return Some(Self {
                keys: said.keys,
                keys_unacknowledged: said.keys_unacknowledged,
                keys_unadopted: said.keys_unadopted,
                keys_unconfirmed: said.keys_unconfirmed,
                released: said.released,
                bytes: said.bytes,
                survivors: said.survivors,
                hold_millis: said.hold_millis,
                tail_millis: said.tail_millis,
                message: said.message,
                ..receipt(outcome)
            });
        }
        (how.exit_code == 1).then(|| Self {
            message: "the agent exited with code 1 and left no counts".into(),
            ..receipt(HandoffOutcome::Failed)
        })
    }
}
