//! The pods of one namespace, as a watch tells of them: who is there, who is ready, and what leaving agents say.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// How often a condition is looked at. The watch itself hears at once.
const POLL: Duration = Duration::from_millis(50);

/// A watch that runs until this value is dropped.
pub(crate) struct Pods {
    index: Arc<Mutex<Index>>,
    command: Command,
    watch: Watch,
}

/// One run of kubectl.
struct Watch {
    kubectl: Child,
    reader: Option<JoinHandle<()>>,
}

/// What an agent wrote as its termination message.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Farewell {
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) hold_millis: f64,
    #[serde(default)]
    pub(crate) message: String,
}

/// Pods by UID.
#[derive(Default)]
pub(crate) struct Index {
    pods: BTreeMap<String, Pod>,
    farewells: BTreeMap<String, Farewell>,
}

/// One line of `kubectl get --watch --output-watch-events`.
#[derive(Deserialize)]
struct Event {
    r#type: String,
    object: Pod,
}

#[derive(Deserialize)]
struct Pod {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    deletion_timestamp: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    init_container_statuses: Vec<Container>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

#[derive(Deserialize)]
struct Container {
    name: String,
    #[serde(default)]
    state: State,
}

#[derive(Default, Deserialize)]
struct State {
    terminated: Option<Terminated>,
}

#[derive(Deserialize)]
struct Terminated {
    #[serde(default)]
    message: String,
}

// === impl Pods ===

impl Pods {
    /// Starts the watch: `kubectl get pods` with everything but the output flags.
    pub(crate) fn watch(mut command: Command) -> Result<Self> {
        command.args(["--watch", "--output-watch-events", "--output=json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let index = Arc::new(Mutex::new(Index::default()));
        let watch = Watch::start(&mut command, &index)?;
        Ok(Self { index, command, watch })
    }

    /// Looks again and again until `done` holds.
    pub(crate) fn wait(&mut self, limit: Duration, mut done: impl FnMut(&Index) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !done(&lock(&self.index)) {
            if self.watch.kubectl.try_wait()?.is_some() {
                // The API server ends every watch now and then. A new one begins with all pods that are there.
                self.watch.end();
                lock(&self.index).pods.clear();
                self.watch = Watch::start(&mut self.command, &self.index)?;
            }
            if begun.elapsed() > limit {
                bail!("pods are not as they should be after {limit:?}");
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Everyone who is there now.
    pub(crate) fn uids(&self) -> Vec<String> {
        lock(&self.index).pods.keys().cloned().collect()
    }

    /// What agents have said at their end, by pod.
    pub(crate) fn farewells(&self) -> BTreeMap<String, Farewell> {
        lock(&self.index).farewells.clone()
    }
}

// === impl Watch ===

impl Watch {
    fn start(command: &mut Command, index: &Arc<Mutex<Index>>) -> Result<Self> {
        let mut kubectl = command.spawn().context("cannot watch pods")?;
        let events = kubectl.stdout.take().context("the watch has no output")?;
        let index = index.clone();
        let reader = std::thread::spawn(move || {
            let events = serde_json::Deserializer::from_reader(BufReader::new(events));
            for event in events.into_iter::<Event>().map_while(Result::ok) {
                lock(&index).apply(event);
            }
        });
        Ok(Self { kubectl, reader: Some(reader) })
    }

    /// After this, nothing of it reaches the index any more.
    fn end(&mut self) {
        // The end of kubectl ends the reader too.
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

// === impl Index ===

impl Index {
    pub(crate) fn has(&self, uid: &str) -> bool {
        self.pods.contains_key(uid)
    }

    /// Pods that are ready and stay.
    pub(crate) fn ready(&self) -> usize {
        self.pods.values().filter(|pod| pod.ready()).count()
    }

    fn apply(&mut self, event: Event) {
        let uid = event.object.metadata.uid.clone();
        if let Some(farewell) = event.object.farewell() {
            self.farewells.insert(uid.clone(), farewell);
        }
        if event.r#type == "DELETED" {
            self.pods.remove(&uid);
        } else {
            self.pods.insert(uid, event.object);
        }
    }
}

// === impl Pod ===

impl Pod {
    fn ready(&self) -> bool {
        let ready = |condition: &Condition| condition.r#type == "Ready" && condition.status == "True";
        self.metadata.deletion_timestamp.is_none() && self.status.conditions.iter().any(ready)
    }

    fn farewell(&self) -> Option<Farewell> {
        let agent = self.status.init_container_statuses.iter().find(|one| one.name == "baton-agent")?;
        serde_json::from_str(&agent.state.terminated.as_ref()?.message).ok()
    }
}

/// An index is whole after any panic: each event is applied in one step.
fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, uid: &str, status: serde_json::Value) -> Event {
        let event = serde_json::json!({
            "type": kind,
            "object": {"kind": "Pod", "metadata": {"uid": uid, "name": "x"}, "status": status},
        });
        serde_json::from_value(event).expect("it has the shape of an event")
    }

    #[test]
    fn what_an_agent_says_at_its_end_outlives_its_pod() {
        let mut index = Index::default();
        let message = r#"{"outcome":"acknowledged","keys":3,"holdMillis":12,"message":"all covered"}"#;
        let ended = serde_json::json!({
            "initContainerStatuses": [
                {"name": "other", "state": {"running": {}}},
                {"name": "baton-agent", "state": {"terminated": {"exitCode": 0, "message": message}}},
            ],
        });
        let ready = serde_json::json!({"conditions": [{"type": "Ready", "status": "True"}]});
        index.apply(event("ADDED", "a", ready));
        assert_eq!(index.ready(), 1);
        index.apply(event("MODIFIED", "a", ended.clone()));
        index.apply(event("DELETED", "a", ended));
        assert!(!index.has("a"));
        assert_eq!(index.farewells["a"].hold_millis, 12.0);
    }
}
