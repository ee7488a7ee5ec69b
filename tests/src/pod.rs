//! What a pod's JSON says.

use serde::Deserialize;
use serde_json::Value;

/// The injected container's name.
pub const AGENT: &str = "baton-agent";

/// A pod as the API server last told of it.
#[derive(Debug, Clone)]
pub struct Pod(pub Value);

/// How an agent's container ended.
#[derive(Debug, Clone)]
pub struct AgentEnd {
    /// Its exit code.
    pub code: i64,
    /// Its termination message, if it left one.
    pub farewell: Option<Farewell>,
}

/// An agent's termination message.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Farewell {
    /// `acknowledged`, `failed` or `nothing`.
    pub outcome: String,
    /// Keys that no survivor has acknowledged.
    pub keys_unacknowledged: u64,
    /// A sentence.
    pub message: String,
}

// === impl AgentEnd ===

impl AgentEnd {
    /// It ended with everything acknowledged.
    pub fn handed_off(&self) -> bool {
        self.code == 0 && self.farewell.as_ref().is_some_and(|farewell| farewell.outcome == "acknowledged")
    }
}

// === impl Pod ===

impl Pod {
    /// Its name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Its UID.
    pub fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    /// Its address; empty if it has none yet.
    pub fn ip(&self) -> &str {
        self.text("/status/podIP")
    }

    /// Its node; empty if it has none yet.
    pub fn node(&self) -> &str {
        self.text("/spec/nodeName")
    }

    /// A label's value.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.0["metadata"]["labels"][name].as_str()
    }

    /// Told to end.
    pub fn leaving(&self) -> bool {
        self.0.pointer("/metadata/deletionTimestamp").is_some()
    }

    /// Ready, and not told to end.
    pub fn ready(&self) -> bool {
        let conditions = self.0["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        !self.leaving() && conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
    }

    /// The status of the agent's container.
    pub fn agent(&self) -> Option<&Value> {
        // A keeper has no other container.
        let lists = ["initContainerStatuses", "containerStatuses"].map(|list| self.0["status"][list].as_array());
        lists.into_iter().flatten().flatten().find(|one| one["name"] == AGENT)
    }

    /// How often the agent's container was started again.
    pub fn agent_restarts(&self) -> u64 {
        self.agent().and_then(|agent| agent["restartCount"].as_u64()).unwrap_or(0)
    }

    /// How the agent's container ended, if it has.
    pub fn agent_end(&self) -> Option<AgentEnd> {
        let ended = self.agent()?["state"].get("terminated")?;
        let farewell = ended["message"].as_str().and_then(|text| serde_json::from_str(text).ok());
        Some(AgentEnd { code: ended["exitCode"].as_i64().unwrap_or(-1), farewell })
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}
