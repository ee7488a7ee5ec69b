//! The pods of one namespace, followed by a watch: who is there, how those ended who are not, and what agents log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::api::Api;
use crate::arena;
use crate::members::replace;
use crate::pod::{AGENT, Pod};

/// The pause before a watch that has ended is begun again.
const PAUSE: Duration = Duration::from_millis(200);

/// Pods by UID.
pub struct Pods {
    index: Arc<Mutex<Index>>,
    over: Arc<AtomicBool>,
}

#[derive(Default)]
struct Index {
    present: BTreeMap<String, Pod>,
    /// The last that was seen of pods that are gone.
    gone: BTreeMap<String, Pod>,
    /// Containers whose logs are followed.
    followed: BTreeSet<String>,
}

struct Watch {
    api: Arc<Api>,
    namespace: String,
    folder: PathBuf,
    index: Arc<Mutex<Index>>,
    over: Arc<AtomicBool>,
}

// === impl Pods ===

impl Pods {
    /// Begins to watch. Logs of agents go to `folder`, and so does the file of targets.
    pub fn watch(api: &Arc<Api>, namespace: &str, folder: &Path) -> Self {
        let (index, over): (Arc<Mutex<Index>>, Arc<AtomicBool>) = Default::default();
        let (namespace, folder) = (namespace.to_owned(), folder.to_owned());
        let watch = Watch { api: api.clone(), namespace, folder, index: index.clone(), over: over.clone() };
        std::thread::spawn(move || watch.run());
        Self { index, over }
    }

    /// Pods that are there, those that leave included.
    pub fn present(&self) -> Vec<Pod> {
        lock(&self.index).present.values().cloned().collect()
    }

    /// Pods that are ready and stay.
    pub fn ready(&self) -> Vec<Pod> {
        self.present().into_iter().filter(Pod::ready).collect()
    }

    /// A pod, or the last that was seen of it.
    pub fn last_seen(&self, uid: &str) -> Option<Pod> {
        let index = lock(&self.index);
        index.present.get(uid).or_else(|| index.gone.get(uid)).cloned()
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

// === impl Watch ===

impl Watch {
    fn run(&self) {
        while !self.over.load(Ordering::Relaxed) {
            // The API server may be away for a while: that is a scenario.
            let _ = self.follow();
            std::thread::sleep(PAUSE);
        }
    }

    fn follow(&self) -> Result<()> {
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        let list = self.api.get(&path)?;
        let pods: Vec<Pod> = list["items"].as_array().into_iter().flatten().cloned().map(Pod).collect();
        let listed: BTreeSet<String> = pods.iter().map(|pod| pod.uid().to_owned()).collect();
        let missed: Vec<Pod> = {
            let index = lock(&self.index);
            index.present.values().filter(|pod| !listed.contains(pod.uid())).cloned().collect()
        };
        missed.into_iter().for_each(|pod| self.apply("DELETED", pod));
        pods.into_iter().for_each(|pod| self.apply("ADDED", pod));
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        for line in self.api.stream(&format!("{path}?watch=true&resourceVersion={version}"))? {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let mut event: Value = serde_json::from_str(&line)?;
            match event["type"].as_str() {
                Some(kind @ ("ADDED" | "MODIFIED" | "DELETED")) => {
                    let kind = kind.to_owned();
                    self.apply(&kind, Pod(event["object"].take()));
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn apply(&self, kind: &str, pod: Pod) {
        let targets = {
            let mut index = lock(&self.index);
            self.follow_log(&mut index, &pod);
            let uid = pod.uid().to_owned();
            if kind == "DELETED" {
                index.present.remove(&uid);
                index.gone.insert(uid, pod);
            } else {
                index.present.insert(uid, pod);
            }
            arena::urls(index.present.values().filter(|pod| pod.ready()))
        };
        // What a Service's endpoints would be.
        let _ = replace(&self.folder.join(arena::TARGETS), targets.join("\n").as_bytes());
    }

    /// The log of a container goes with its pod: it is copied while it is written.
    fn follow_log(&self, index: &mut Index, pod: &Pod) {
        let id = pod.agent().and_then(|agent| agent["containerID"].as_str()).unwrap_or_default();
        if id.is_empty() || !index.followed.insert(id.to_owned()) {
            return;
        }
        let (api, name, namespace) = (self.api.clone(), pod.name().to_owned(), self.namespace.clone());
        let file = self.folder.join(format!("{name}.{}.agent.log", pod.agent_restarts()));
        std::thread::spawn(move || -> Result<()> {
            let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/log?container={AGENT}&follow=true");
            let mut file = File::create(file)?;
            for line in api.stream(&path)? {
                writeln!(file, "{line}")?;
            }
            Ok(())
        });
    }
}

/// An index is whole after any panic: each event is applied in one step.
fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}
