//! The Kubernetes API, through `kubectl proxy`: plain HTTP for the suite, one process for all of it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use ureq::Agent;

use crate::http::{Http, Reply};
use crate::process::Process;
use crate::wait::{self, PATIENCE};

/// Longer than the API server lets an admission webhook take.
const TIMEOUT: Duration = Duration::from_secs(40);
/// Whose fields these are.
const MANAGER: &str = "baton-tests";

/// The API server.
pub struct Api {
    base: String,
    http: Http,
    streams: Agent,
    proxy: Mutex<Process>,
}

// === impl Api ===

impl Api {
    /// Starts the proxy.
    pub fn connect(mut kubectl: Command, folder: &Path) -> Result<Self> {
        kubectl.args(["proxy", "--port=0"]);
        let mut proxy = Process::start("kubectl-proxy", &mut kubectl, folder)?;
        let base = wait::until(PATIENCE, "kubectl proxy serves", || {
            proxy.ensure_running()?;
            let log = proxy.log();
            let address = log.lines().find_map(|line| line.strip_prefix("Starting to serve on "));
            Ok(format!("http://{}", address.context("it does not say where")?.trim()))
        })?;
        let streams = Agent::config_builder().proxy(None).build().into();
        Ok(Self { base, http: Http::new(TIMEOUT), streams, proxy: Mutex::new(proxy) })
    }

    /// Ends the proxy. Threads that still watch may outlive the suite's last scenario, and nobody waits for them.
    pub fn close(&self) {
        // It may have ended already.
        let _ = self.proxy.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    /// Sends a request and returns whatever the server answers.
    pub fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Reply> {
        self.http.send(method, &format!("{}{path}", self.base), &[("content-type", kind)], body)
    }

    /// An object or a list.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.http.get_json(&format!("{}{path}", self.base))
    }

    /// An object, if it is there.
    pub fn find(&self, path: &str) -> Result<Option<Value>> {
        let reply = self.http.get(&format!("{}{path}", self.base))?;
        match reply.status {
            200 => Ok(Some(reply.json()?)),
            404 => Ok(None),
            _ => bail!("GET {path} answers {reply}"),
        }
    }

    /// Makes an object and returns the answer, which may be a refusal.
    pub fn create(&self, path: &str, object: &Value) -> Result<Reply> {
        self.send("POST", path, "application/json", &serde_json::to_vec(object)?)
    }

    /// Server-side apply.
    pub fn apply(&self, namespace: &str, object: &Value) -> Result<()> {
        let path = format!("{}?fieldManager={MANAGER}&force=true", object_path(namespace, object)?);
        let reply = self.send("PATCH", &path, "application/apply-patch+yaml", &serde_json::to_vec(object)?)?;
        ensure!(reply.ok(), "cannot apply {path}: {reply}");
        Ok(())
    }

    /// A merge patch.
    pub fn patch(&self, path: &str, patch: &Value) -> Result<()> {
        let reply = self.send("PATCH", path, "application/merge-patch+json", &serde_json::to_vec(patch)?)?;
        ensure!(reply.ok(), "cannot patch {path}: {reply}");
        Ok(())
    }

    /// Deletes an object or a collection. One that is not there is fine.
    pub fn delete(&self, path: &str) -> Result<()> {
        let reply = self.send("DELETE", path, "application/json", &[])?;
        ensure!(reply.ok() || reply.status == 404, "cannot delete {path}: {reply}");
        Ok(())
    }

    /// The lines of a stream that goes on until it is cut.
    pub fn stream(&self, path: &str) -> Result<impl Iterator<Item = String> + use<>> {
        let reply = self.streams.get(format!("{}{path}", self.base)).call()?;
        let lines = BufReader::new(reply.into_body().into_reader()).lines();
        Ok(lines.map_while(std::io::Result::ok))
    }
}

/// Where an object of a namespace is.
pub fn object_path(namespace: &str, object: &Value) -> Result<String> {
    let name = object["metadata"]["name"].as_str().context("an object without a name")?;
    Ok(format!("{}/{name}", collection(namespace, object["kind"].as_str().unwrap_or_default())?))
}

/// Where the objects of a kind are.
pub fn collection(namespace: &str, kind: &str) -> Result<String> {
    let (group, plural) = match kind {
        "Pod" => ("api/v1", "pods"),
        "Service" => ("api/v1", "services"),
        "Event" => ("api/v1", "events"),
        "Deployment" => ("apis/apps/v1", "deployments"),
        "StatefulSet" => ("apis/apps/v1", "statefulsets"),
        "DaemonSet" => ("apis/apps/v1", "daemonsets"),
        "PodDisruptionBudget" => ("apis/policy/v1", "poddisruptionbudgets"),
        "NetworkPolicy" => ("apis/networking.k8s.io/v1", "networkpolicies"),
        "HandoffGroup" => ("apis/baton.dev/v1alpha1", "handoffgroups"),
        "Handoff" => ("apis/baton.dev/v1alpha1", "handoffs"),
        "Membership" => ("apis/baton.dev/v1alpha1", "memberships"),
        other => bail!("no scenario uses a {other}"),
    };
    Ok(format!("/{group}/namespaces/{namespace}/{plural}"))
}
