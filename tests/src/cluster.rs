//! The cluster under test, as `cargo xtask cluster up` makes it, with Baton installed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::api::Api;
use crate::baton::{self, Said};
use crate::{place, wait};

/// Where Baton is installed.
pub const SYSTEM: &str = "baton-system";
/// The operator's Deployment and Service.
pub const OPERATOR: &str = "baton-operator";

/// How long the operator may take to come or to go.
const OPERATOR_LIMIT: Duration = Duration::from_secs(90);

/// The cluster.
pub struct Cluster {
    /// Its API.
    pub api: Arc<Api>,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    manifests: Vec<Value>,
    _lock: File,
}

// === impl Cluster ===

impl Cluster {
    /// Connects to the cluster that the environment names, and sees that Baton is installed.
    pub fn connect(folder: &Path) -> Result<Self> {
        let [kubectl, kubeconfig] = ["BATON_KUBECTL", "BATON_KUBECONFIG"].map(std::env::var_os);
        let (Some(kubectl), Some(kubeconfig)) = (kubectl, kubeconfig) else {
            bail!(
                "no cluster is given: run `cargo xtask test --only e2e`, or set BATON_KUBECTL and BATON_KUBECONFIG, \
                 or set BATON_E2E=skip to leave this suite out"
            );
        };
        let (kubectl, kubeconfig) = (PathBuf::from(kubectl), PathBuf::from(kubeconfig));
        let lock = lock(&kubeconfig)?;
        let mut proxy = Command::new(&kubectl);
        proxy.env("KUBECONFIG", &kubeconfig);
        let api = Arc::new(Api::connect(proxy, folder)?);
        let mut cluster = Self { api, kubectl, kubeconfig, manifests: Vec::new(), _lock: lock };
        cluster.manifests = cluster.read_manifests()?;
        cluster.wait_for_operator().context("Baton is not installed, or does not work")?;
        Ok(cluster)
    }

    /// The arena's manifests.
    pub fn manifests(&self) -> &[Value] {
        &self.manifests
    }

    /// A kubectl command that is yet to be run.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut kubectl = Command::new(&self.kubectl);
        kubectl.env("KUBECONFIG", &self.kubeconfig).args(words).stdin(Stdio::null());
        kubectl
    }

    /// Runs kubectl to its end, whatever that is.
    pub fn try_kubectl(&self, words: &[&str]) -> Result<Output> {
        self.command(words).output().context("cannot run kubectl")
    }

    /// Runs kubectl, which must succeed, and returns what it prints.
    pub fn kubectl(&self, words: &[&str]) -> Result<String> {
        let done = self.try_kubectl(words)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        ensure!(done.status.success(), "kubectl {} failed: {}", words.join(" "), text(&done.stderr));
        Ok(text(&done.stdout))
    }

    /// Runs `kubectl baton` in a namespace to its end, whatever that is.
    pub fn baton(&self, namespace: &str, words: &[&str]) -> Result<Said> {
        baton::run(&self.kubeconfig, namespace, words)
    }

    /// Sets the number of operators and waits until it is so.
    pub fn scale_operator(&self, replicas: u64) -> Result<()> {
        self.api.patch(&self.operator_path(), &json!({"spec": {"replicas": replicas}}))?;
        if replicas > 0 {
            return self.wait_for_operator();
        }
        wait::until(OPERATOR_LIMIT, "no operator is left", || {
            let left = self.operator_pods()?.len();
            ensure!(left == 0, "{left} are left");
            Ok(())
        })
    }

    /// The operators' pods, also those that are leaving.
    pub fn operator_pods(&self) -> Result<Vec<Value>> {
        let selector = "labelSelector=app.kubernetes.io/component=operator";
        let pods = self.api.get(&format!("/api/v1/namespaces/{SYSTEM}/pods?{selector}"))?;
        Ok(pods["items"].as_array().cloned().unwrap_or_default())
    }

    /// Who holds the operators' Lease, and how often it has changed hands.
    pub fn holder(&self) -> Result<(String, u64)> {
        let lease = self.api.get(&format!("/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{OPERATOR}"))?;
        let spec = &lease["spec"];
        let holder = spec["holderIdentity"].as_str().filter(|holder| !holder.is_empty()).context("nobody holds it")?;
        Ok((holder.to_owned(), spec["leaseTransitions"].as_u64().unwrap_or_default()))
    }

    /// How many operators there should be.
    pub fn operators(&self) -> Result<u64> {
        let operator = self.api.get(&self.operator_path())?;
        operator["spec"]["replicas"].as_u64().context("the operator's Deployment has no replicas")
    }

    /// Waits until every operator that should be there is ready.
    pub fn wait_for_operator(&self) -> Result<()> {
        wait::until(OPERATOR_LIMIT, "the operator is ready", || {
            let operator = self.api.get(&self.operator_path())?;
            let (wanted, status) = (&operator["spec"]["replicas"], &operator["status"]);
            let observed = operator["metadata"]["generation"] == status["observedGeneration"];
            let ready = status["readyReplicas"] == *wanted && status["replicas"] == *wanted;
            ensure!(observed && ready, "its Deployment says {status}");
            Ok(())
        })
    }

    /// How often the containers of the operators that are there have been started again.
    pub fn operator_restarts(&self) -> Result<u64> {
        let pods = self.api.get(&format!("/api/v1/namespaces/{SYSTEM}/pods"))?;
        let statuses = pods["items"].as_array().into_iter().flatten();
        let containers = statuses.filter_map(|pod| pod["status"]["containerStatuses"].as_array()).flatten();
        Ok(containers.filter_map(|container| container["restartCount"].as_u64()).sum())
    }

    /// What runs, and what does not.
    pub fn status(&self) -> Result<String> {
        let said = xtask(&["status"])?;
        Ok([said.stdout, said.stderr].iter().map(|text| String::from_utf8_lossy(text)).collect())
    }

    /// Stops or starts a part of the cluster: `stop`, `apiserver`.
    pub fn part(&self, action: &str, part: &str) -> Result<()> {
        let done = xtask(&[action, part])?;
        ensure!(done.status.success(), "cluster {action} {part}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    fn operator_path(&self) -> String {
        format!("/apis/apps/v1/namespaces/{SYSTEM}/deployments/{OPERATOR}")
    }

    fn read_manifests(&self) -> Result<Vec<Value>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/arena/manifests");
        let folder = folder.to_string_lossy();
        let text = self.kubectl(&["create", "--dry-run=client", "--output=json", "--filename", &folder])?;
        let objects = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        objects.collect::<Result<_, _>>().context("kubectl printed no JSON")
    }
}

/// Runs `cargo xtask cluster` to its end, whatever that is.
fn xtask(words: &[&str]) -> Result<Output> {
    let mut command = Command::new(place::program("xtask")?);
    command.arg("cluster").args(words).stdin(Stdio::null()).output().context("cannot run xtask")
}

/// Two suites on one cluster would take each other's operator away.
fn lock(kubeconfig: &Path) -> Result<File> {
    let path = kubeconfig.with_extension("e2e-lock");
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("Waiting for another end-to-end suite on this cluster to end.");
        file.lock()?;
    }
    Ok(file)
}

/// Finds a process of a pod: `/baton-agent run`, `/arena`.
pub fn process(pod_uid: &str, words: &[&str]) -> Result<Pid> {
    let first = processes(pod_uid, words)?.into_iter().next();
    first.with_context(|| format!("pod {pod_uid} runs no {words:?} on this machine"))
}

/// All of them. Nodes are network namespaces of this machine, and the control group of a process names its pod.
pub fn processes(pod_uid: &str, words: &[&str]) -> Result<Vec<Pid>> {
    let is_it = |pid: &i32| {
        let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let runs =
            read("cmdline").split(|byte| *byte == 0).take(words.len()).eq(words.iter().map(|word| word.as_bytes()));
        runs && String::from_utf8_lossy(&read("cgroup")).contains(pod_uid)
    };
    let entries = std::fs::read_dir("/proc")?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    Ok(pids.filter(is_it).filter_map(Pid::from_raw).collect())
}

/// Sends a signal to a process of a pod.
pub fn signal(pod_uid: &str, words: &[&str], signal: Signal) -> Result<()> {
    kill_process(process(pod_uid, words)?, signal).with_context(|| format!("cannot send {signal:?} to {words:?}"))
}

/// Kills a process of a pod as the kernel would.
pub fn kill(pod_uid: &str, words: &[&str]) -> Result<()> {
    signal(pod_uid, words, Signal::KILL)
}

/// An agent's command line.
pub const AGENT: [&str; 2] = ["/baton-agent", "run"];
/// That of its preStop hook.
pub const HOOK: [&str; 2] = ["/baton-agent", "drain"];
/// The arena's.
pub const ARENA: [&str; 1] = ["/arena"];

/// Kills a pod's agent.
pub fn kill_agent(pod_uid: &str) -> Result<()> {
    kill(pod_uid, &AGENT)
}
