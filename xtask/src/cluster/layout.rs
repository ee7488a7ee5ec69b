//! Names, addresses and paths of a cluster.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Access;
use super::part::Part;

/// Where a cluster keeps its state unless told otherwise.
pub(super) const DEFAULT_ROOT: &str = "/var/lib/baton-cluster";

/// Sockets and mounts; short, because a socket's path is at most 107 bytes.
pub(super) const RUN: &str = "/run/baton-cluster";

/// The bridge that joins the nodes. Its alias names the cluster's folder.
pub(super) const BRIDGE: &str = "baton0";

/// The bridge's own address, where the control plane and DNS listen.
pub(super) const GATEWAY: &str = "172.30.0.1";

/// Addresses 172.30.0.11 to 172.30.0.19.
pub(super) const MAX_NODES: i64 = 9;

/// Every address of a pod.
pub(super) const POD_CIDR: &str = "10.244.0.0/16";

/// Every address of a Service.
pub(super) const SERVICE_CIDR: &str = "10.96.0.0/16";

/// The file that marks a folder as a cluster's; it holds the number of nodes.
const MARKER: &str = ".baton-cluster";

/// The folder of a cluster.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

/// One node, by its number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node(pub(super) u8);

// === impl Layout ===

impl Layout {
    /// Takes an absolute or relative path that may be absent, empty, or a
    /// cluster's.
    pub(super) fn new(root: &Path) -> Result<Self> {
        if std::env::consts::OS != "linux" {
            bail!(
                "a cluster on this machine needs Linux: use `--context NAME` for one that is \
                 already there, or the demo's `--local`"
            );
        }
        if !rustix::process::getuid().is_root() {
            bail!(
                "a cluster on this machine needs root: use sudo, or `--context NAME` for one \
                 that is already there, or the demo's `--local`"
            );
        }
        let root = std::path::absolute(root)?;
        let layout = Self { root };
        let foreign = std::fs::read_dir(&layout.root).is_ok_and(|mut files| files.next().is_some());
        if foreign && !layout.marker().exists() {
            bail!("{} is not empty and not a cluster's", layout.root.display());
        }
        Ok(layout)
    }

    /// Claims the folder for a cluster of that many nodes.
    pub(super) fn mark(&self, nodes: u8) -> Result<()> {
        for folder in [self.bin(), self.parts(), self.root.join("log")] {
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(std::fs::write(self.marker(), nodes.to_string())?)
    }

    /// The nodes of the cluster that has this folder; none if there is none.
    pub(super) fn nodes(&self) -> Vec<Node> {
        let text = std::fs::read_to_string(self.marker()).unwrap_or_default();
        (1..=text.trim().parse().unwrap_or(0)).map(Node).collect()
    }

    /// Fails if the part belongs to a node that the cluster lacks.
    pub(super) fn ensure_has(&self, part: Part) -> Result<()> {
        let nodes = self.nodes();
        if nodes.is_empty() {
            bail!("no cluster is up: run `cargo xtask cluster up`");
        }
        match part.node() {
            Some(node) if !nodes.contains(&node) => {
                bail!("the cluster has {} nodes, no {node}", nodes.len())
            }
            _ => Ok(()),
        }
    }

    /// How to reach the cluster.
    pub(super) fn access(&self) -> Result<Access> {
        if !self.manifest().exists() {
            bail!("no cluster is up: run `cargo xtask cluster up`");
        }
        Ok(Access { kubeconfig: self.kubeconfig(), kubectl: self.bin().join("kubectl"), helm: self.bin().join("helm") })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Links to the parts' programs; a process that has such a name is ours.
    pub(super) fn parts(&self) -> PathBuf {
        self.root.join("parts")
    }

    /// kubectl, helm and ctr, for people and tests.
    pub(super) fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    pub(super) fn log(&self, part: Part) -> PathBuf {
        let name = part.to_string().replace(':', "-");
        self.root.join("log").join(format!("{name}.log"))
    }

    /// A certificate, key or kubeconfig of a component.
    pub(super) fn pki(&self, file: &str) -> String {
        self.path(&format!("pki/{file}"))
    }

    /// A file or folder of the control plane.
    pub(super) fn path(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    /// A file or folder of a node.
    pub(super) fn node_path(&self, node: Node, name: &str) -> String {
        self.path(&format!("nodes/{node}/{name}"))
    }

    /// The administrator's kubeconfig.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    /// What other programs read to find the parts.
    pub(super) fn manifest(&self) -> PathBuf {
        self.root.join("cluster.json")
    }

    fn marker(&self) -> PathBuf {
        self.root.join(MARKER)
    }
}

// === impl Node ===

impl Node {
    pub(super) fn ip(self) -> String {
        format!("172.30.0.1{}", self.0)
    }

    pub(super) fn pod_cidr(self) -> String {
        format!("10.244.{}.0/24", self.0)
    }

    /// The network namespace as a file.
    pub(super) fn netns(self) -> String {
        format!("/run/netns/{self}")
    }

    /// The end of the node's cable that is plugged into the bridge.
    pub(super) fn veth(self) -> String {
        format!("baton-v{}", self.0)
    }

    /// The control group of the node's pods, below every controller.
    pub(super) fn cgroup(self) -> String {
        format!("baton-{self}")
    }

    /// The folder of sockets and mounts.
    pub(super) fn run(self) -> String {
        format!("{RUN}/{self}")
    }

    pub(super) fn socket(self) -> String {
        format!("{RUN}/{self}/containerd.sock")
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node-{}", self.0)
    }
}
