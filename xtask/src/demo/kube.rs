//! kubectl and helm, aimed at one cluster and one namespace.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cluster::Access;
use crate::{command, workspace};

/// Where Baton itself is installed.
const SYSTEM: &str = "baton-system";
const RELEASE: &str = "baton";

/// One namespace of a cluster.
pub(crate) struct Kube<'a> {
    access: &'a Access,
    namespace: &'a str,
}

// === impl Kube ===

impl<'a> Kube<'a> {
    pub(crate) fn new(access: &'a Access, namespace: &'a str) -> Self {
        Self { access, namespace }
    }

    /// A kubectl command, to be run by the caller.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut kubectl = Command::new(&self.access.kubectl);
        kubectl.arg("--kubeconfig").arg(&self.access.kubeconfig).args(["--namespace", self.namespace]).args(words);
        kubectl
    }

    /// Runs kubectl to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Result<String> {
        command::output(&mut self.command(words))
    }

    /// Makes the namespace anew, with the strictest Pod Security Standard enforced.
    pub(crate) fn fresh(&self) -> Result<()> {
        self.delete()?;
        self.run(&["create", "namespace", self.namespace])?;
        let strict = "pod-security.kubernetes.io/enforce=restricted";
        self.run(&["label", "namespace", self.namespace, strict])?;
        Ok(())
    }

    /// Deletes the namespace and waits until it is gone.
    pub(crate) fn delete(&self) -> Result<()> {
        self.run(&["delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=120s"])?;
        Ok(())
    }

    /// The objects of a file or folder, as kubectl reads them.
    pub(crate) fn read(&self, path: &Path) -> Result<Vec<Value>> {
        let path = path.to_string_lossy();
        let text = self.run(&["create", "--dry-run=client", "--output=json", "--filename", &path])?;
        let objects = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        objects.collect::<Result<_, _>>().context("kubectl printed no JSON")
    }

    /// Applies objects.
    pub(crate) fn apply(&self, objects: &[Value]) -> Result<()> {
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let mut file = tempfile::Builder::new().suffix(".json").tempfile()?;
        serde_json::to_writer(&mut file, &list)?;
        self.run(&["apply", "--filename", &file.path().to_string_lossy()])?;
        Ok(())
    }
}

/// The API server's version.
pub(crate) fn version(access: &Access) -> Result<String> {
    let text = Kube::new(access, SYSTEM).run(&["version", "--output=json"])?;
    let version: Value = serde_json::from_str(&text).context("kubectl printed no JSON")?;
    let version = version["serverVersion"]["gitVersion"].as_str();
    Ok(version.unwrap_or("unknown").trim_start_matches('v').to_owned())
}

/// Installs the chart, or brings what is installed up to date. Says whether it was there before.
pub(crate) fn install(access: &Access) -> Result<bool> {
    let chart: PathBuf = workspace::root().join("charts/baton");
    let before = helm(access, &["status", RELEASE]).is_ok();
    let chart = chart.to_string_lossy();
    let words = ["upgrade", "--install", RELEASE, &chart, "--create-namespace", "--wait", "--timeout=3m"];
    helm(access, &words).map_err(|error| error.context(pods(access)))?;
    if before {
        // The images have the same name as the last time: running pods do not notice that they are new.
        let kube = Kube::new(access, SYSTEM);
        kube.run(&["rollout", "restart", "deployment"])?;
        kube.run(&["rollout", "status", "deployment", "--timeout=120s"])?;
    }
    Ok(before)
}

/// Has Baton looked at from inside the cluster, with the rights that the chart gives for it.
pub(crate) fn check(access: &Access) -> Result<()> {
    let said = || Kube::new(access, SYSTEM).run(&["logs", "baton-operator-check"]).unwrap_or_default();
    helm(access, &["test", RELEASE, "--timeout=3m"]).map(drop).map_err(|error| error.context(said()))
}

pub(crate) fn uninstall(access: &Access) -> Result<()> {
    helm(access, &["uninstall", RELEASE, "--wait"])?;
    Kube::new(access, SYSTEM).delete()
}

/// What the operator's pods and their events say: why an installation did not become ready.
pub(crate) fn pods(access: &Access) -> String {
    let kube = Kube::new(access, SYSTEM);
    let said = |words: &[&str]| kube.run(words).unwrap_or_else(|error| format!("{error:#}"));
    let events = said(&["get", "events", "--sort-by=.lastTimestamp"]);
    let logs = said(&["logs", "deployment/baton-operator", "--tail=20"]);
    format!("Baton did not become ready\n{}\n{events}\n{logs}", said(&["get", "pods", "--output=wide"]))
}

fn helm(access: &Access, words: &[&str]) -> Result<String> {
    let mut helm = Command::new(&access.helm);
    helm.arg("--kubeconfig").arg(&access.kubeconfig).args(["--namespace", SYSTEM]).args(words);
    command::output(&mut helm)
}
