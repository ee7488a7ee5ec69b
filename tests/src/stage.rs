//! The place of one scenario: a namespace of its own, what is applied there, and the questions that scenarios ask.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::api::collection;
use crate::arena::{self, Arena};
use crate::baton::Said;
use crate::cluster::Cluster;
use crate::crowd::{self, Crowd, Verdict};
use crate::pod::{AgentEnd, Pod};
use crate::pods::Pods;
use crate::wait;

/// How long pods may take to come, to go or to be replaced, on a machine that runs several scenarios.
pub const LIMIT: Duration = Duration::from_secs(180);
/// How long the operator may take to show something.
const SHOWN: Duration = Duration::from_secs(120);

/// A namespace.
pub struct Stage {
    /// The cluster around it.
    pub cluster: Arc<Cluster>,
    /// Its name.
    pub namespace: String,
    /// Its pods.
    pub pods: Pods,
    /// Where its logs go.
    pub folder: PathBuf,
    verdict: Mutex<Option<Verdict>>,
}

// === impl Stage ===

impl Stage {
    /// Makes the namespace, with the strictest Pod Security Standard enforced.
    pub fn new(cluster: &Arc<Cluster>, namespace: &str, folder: PathBuf) -> Result<Self> {
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted", "baton-tests": "true"});
        let object = json!({"metadata": {"name": namespace, "labels": labels}});
        let made = cluster.api.create("/api/v1/namespaces", &object)?;
        ensure!(made.ok(), "cannot make namespace {namespace}: {made}");
        let pods = Pods::watch(&cluster.api, namespace, &folder);
        Ok(Self { cluster: cluster.clone(), namespace: namespace.to_owned(), pods, folder, verdict: Mutex::default() })
    }

    /// Ends everything in it at once, without a handoff, and deletes it. Does not wait.
    pub fn remove(&self) -> Result<()> {
        // Nothing may make new pods, not even the operator; and pods that find no survivor would be held for their whole grace period.
        self.cluster.api.delete(&self.path("HandoffGroup", ""))?;
        self.cluster.api.delete(&self.path("Deployment", ""))?;
        self.cluster.api.delete(&self.path("StatefulSet", ""))?;
        self.cluster.api.delete(&self.path("DaemonSet", ""))?;
        self.cluster.api.delete(&format!("{}?gracePeriodSeconds=0", self.path("Pod", "")))?;
        self.cluster.api.delete(&format!("/api/v1/namespaces/{}", self.namespace))
    }

    /// Where an object is; without a name, all of its kind.
    pub fn path(&self, kind: &str, name: &str) -> String {
        let all = collection(&self.namespace, kind).unwrap_or_default();
        if name.is_empty() { all } else { format!("{all}/{name}") }
    }

    /// Applies the arena and does not wait.
    pub fn apply(&self, arena: &Arena) -> Result<()> {
        let mut objects = arena.objects(self.cluster.manifests());
        // Pods that opt in before a group selects them are refused and tried again later.
        objects.sort_by_key(|object| object["kind"] != "HandoffGroup");
        objects.iter().try_for_each(|object| self.cluster.api.apply(&self.namespace, object))
    }

    /// Applies the arena, waits until all pods are ready, and lets a crowd play.
    pub fn play(&self, arena: &Arena) -> Result<Crowd> {
        self.apply(arena)?;
        self.wait_ready(arena.replicas as usize + arena.keepers())?;
        self.crowd()
    }

    /// Lets a crowd play on the pods that are ready.
    pub fn crowd(&self) -> Result<Crowd> {
        let crowd = Crowd::start(&self.folder)?;
        wait::until(SHOWN, "the crowd plays", || {
            ensure!(crowd.acknowledged() > 0, "nothing is acknowledged yet");
            Ok(())
        })?;
        Ok(crowd)
    }

    /// Ends the crowd, and asks every pod for what was acknowledged.
    pub fn check(&self, crowd: Crowd) -> Result<()> {
        let record = crowd.finish()?;
        let servers = arena::urls(self.pods.ready().iter());
        ensure!(!servers.is_empty(), "no pod is ready");
        let verdict = crowd::check(&record, &servers)?;
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict.clone());
        verdict.ensure_clean()
    }

    /// What the last check found.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until exactly so many pods are there and all are ready.
    pub fn wait_ready(&self, count: usize) -> Result<()> {
        wait::until(LIMIT, &format!("{count} pods are there, all of them ready"), || {
            let (present, ready) = (self.pods.present().len(), self.pods.ready().len());
            ensure!(ready == count && present == count, "{ready} of {present} are ready");
            Ok(())
        })
    }

    /// Waits until none of these pods is left, and so many others are ready.
    pub fn wait_replaced(&self, old: &[Pod], count: usize) -> Result<()> {
        wait::until(LIMIT, &format!("the old pods are gone and {count} are ready"), || {
            let present = self.pods.present();
            let left = present.iter().filter(|pod| old.iter().any(|old| old.uid() == pod.uid())).count();
            let ready = self.pods.ready().len();
            ensure!(left == 0 && ready == count, "{left} old pods are left, {ready} are ready");
            Ok(())
        })
    }

    /// Waits until none of these pods is left.
    pub fn wait_gone(&self, pods: &[Pod]) -> Result<()> {
        wait::until(LIMIT, "these pods are gone", || {
            let present = self.pods.present();
            let left = pods.iter().filter(|pod| present.iter().any(|one| one.uid() == pod.uid()));
            let left: Vec<&str> = left.map(Pod::name).collect();
            ensure!(left.is_empty(), "{left:?} are left");
            Ok(())
        })
    }

    /// Waits for the end of the Deployment's last restart as the docs say, with kubectl alone. Then every pod of an older
    /// revision has ended.
    pub fn wait_drained(&self, old: &[Pod]) -> Result<()> {
        let generation = ["get", "deployment", arena::NAME, "-o", "jsonpath={.metadata.generation}"];
        let generation = self.kubectl(&generation)?;
        let path = format!("{{.status.workloads[?(@.name==\"{}\")].drainedGeneration}}", arena::NAME);
        let (group, word) = (format!("handoffgroup/{}", arena::NAME), format!("--for=jsonpath={path}={generation}"));
        self.kubectl(&["wait", &group, "--timeout=5m", &word])?;
        self.ensure_ended(old)
    }

    /// These pods are gone, or all of their containers have ended: their objects may be there for a moment more.
    pub fn ensure_ended(&self, pods: &[Pod]) -> Result<()> {
        for pod in pods {
            let found = self.cluster.api.find(&self.path("Pod", pod.name()))?;
            let Some(found) = found.filter(|found| found["metadata"]["uid"] == pod.uid()) else { continue };
            let phase = &found["status"]["phase"];
            ensure!(phase == "Succeeded" || phase == "Failed", "{} is still {phase}", pod.name());
        }
        Ok(())
    }

    /// Restarts the Deployment and waits until the last old pod is gone.
    pub fn rollout(&self, count: usize) -> Result<Vec<Pod>> {
        let old = self.pods.present();
        self.restart()?;
        self.wait_replaced(&old, count)?;
        Ok(old)
    }

    /// `kubectl rollout restart`.
    pub fn restart(&self) -> Result<()> {
        self.kubectl(&["rollout", "restart", "deployment/arena"]).map(drop)
    }

    /// Runs `kubectl` in the namespace, and returns what it prints.
    pub fn kubectl(&self, words: &[&str]) -> Result<String> {
        self.cluster.kubectl(&[&["-n", &self.namespace], words].concat())
    }

    /// Runs `kubectl baton` in the namespace to its end, whatever that is.
    pub fn baton(&self, words: &[&str]) -> Result<Said> {
        self.cluster.baton(&self.namespace, words)
    }

    /// Sets the number of the Deployment's pods.
    pub fn scale(&self, replicas: u32) -> Result<()> {
        let patch = json!({"spec": {"replicas": replicas}});
        self.cluster.api.patch(&self.path("Deployment", arena::NAME), &patch)
    }

    /// Scales down, and returns the pods that had to go, once they are gone.
    pub fn scale_down(&self, replicas: u32) -> Result<Vec<Pod>> {
        let old = self.pods.present();
        self.scale(replicas)?;
        self.wait_ready(replicas as usize)?;
        let left = self.pods.present();
        Ok(old.into_iter().filter(|pod| left.iter().all(|left| left.uid() != pod.uid())).collect())
    }

    /// Deletes a pod as `kubectl delete pod` does.
    pub fn delete_pod(&self, name: &str) -> Result<()> {
        self.cluster.api.delete(&self.path("Pod", name))
    }

    /// How the agents of pods that have ended did so.
    pub fn ends(&self, pods: &[Pod]) -> Result<Vec<(String, AgentEnd)>> {
        let end = |pod: &Pod| {
            let seen = self.pods.last_seen(pod.uid()).context("it was never seen")?;
            let end = seen.agent_end().with_context(|| format!("{} ended and nobody saw how", pod.name()))?;
            Ok((pod.name().to_owned(), end))
        };
        pods.iter().map(end).collect()
    }

    /// All of these pods ended with everything acknowledged.
    pub fn ensure_handed_off(&self, pods: &[Pod]) -> Result<()> {
        for (name, end) in self.ends(pods)? {
            ensure!(end.handed_off(), "the handoff of {name}: {end:?}");
        }
        Ok(())
    }

    /// The HandoffGroup.
    pub fn group(&self) -> Result<Value> {
        self.cluster.api.get(&self.path("HandoffGroup", arena::NAME))
    }

    /// Waits until a condition of a HandoffGroup has this status and, if one is given, this reason.
    pub fn wait_condition(&self, group: &str, kind: &str, status: &str, reason: Option<&str>) -> Result<Value> {
        wait::until(SHOWN, &format!("condition {kind} of {group} is {status}"), || {
            let group = self.cluster.api.get(&self.path("HandoffGroup", group))?;
            let conditions = group["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let found = conditions.iter().find(|one| one["type"] == kind).context("there is none")?;
            let good = found["status"] == status && reason.is_none_or(|reason| found["reason"] == reason);
            ensure!(good, "it says {found}");
            ensure!(found["observedGeneration"] == group["metadata"]["generation"], "it is of another generation");
            Ok(found.clone())
        })
    }

    /// Waits until the Membership lists exactly so many members, all of them Active: who is gone is forgotten. Every agent
    /// goes by that list.
    pub fn wait_forgotten(&self, count: usize) -> Result<()> {
        let path = self.path("Membership", arena::NAME);
        wait::until(SHOWN, &format!("exactly {count} members are listed, all of them Active"), || {
            let spec = &self.cluster.api.get(&path)?["spec"];
            let rows = spec["members"].as_array().cloned().unwrap_or_default();
            let good = rows.len() == count && rows.iter().all(|row| row["phase"] == "Active");
            ensure!(good, "the list is {rows:?}");
            for pod in self.pods.ready() {
                let command = ["exec", pod.name(), "-c", "baton-agent", "--", "/baton-agent", "status", "-o", "json"];
                let said = self.kubectl(&command)?;
                let status: Value = serde_json::from_str(&said)?;
                let listed = status["members"].as_array().map_or(0, Vec::len);
                ensure!(listed + 1 == count && status["membership"] == spec["number"], "{} says {said}", pod.name());
            }
            Ok(())
        })
    }

    /// Waits for an event with a reason about an object, and returns its message.
    pub fn wait_event(&self, kind: &str, object: &str, reason: &str) -> Result<String> {
        wait::until(SHOWN, &format!("there is an event {reason} about {kind} {object}"), || {
            let found = self.events(kind, object)?;
            let event = found.iter().find(|event| event["reason"] == reason);
            match event {
                Some(event) => Ok(event["message"].as_str().unwrap_or_default().to_owned()),
                None => bail!("there are {:?}", found.iter().map(|event| &event["reason"]).collect::<Vec<_>>()),
            }
        })
    }

    /// Waits until the record of a pod's handoff says this of its condition `Acknowledged`, and returns it.
    pub fn wait_record(&self, pod: &str, status: &str) -> Result<Value> {
        wait::until(SHOWN, &format!("the record of pod {pod} says that it is {status}"), || {
            let records = self.cluster.api.get(&self.path("Handoff", ""))?;
            let of_pod = |record: &&Value| record["spec"]["podName"] == pod;
            let record = records["items"].as_array().into_iter().flatten().find(of_pod).context("there is none")?;
            ensure!(record["status"]["conditions"][0]["status"] == status, "it is {record}");
            Ok(record.clone())
        })
    }

    /// The events about an object.
    pub fn events(&self, kind: &str, object: &str) -> Result<Vec<Value>> {
        let events = self.cluster.api.get(&self.path("Event", ""))?;
        let about = |event: &&Value| {
            let subject = &event["involvedObject"];
            subject["kind"] == kind && subject["name"].as_str().is_some_and(|name| name.starts_with(object))
        };
        Ok(events["items"].as_array().into_iter().flatten().filter(about).cloned().collect())
    }
}
