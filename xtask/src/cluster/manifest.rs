//! `cluster.json`: where the parts are, for programs that break them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::layout::{Layout, Node};
use super::part::{CONTROL_PLANE, Part};
use super::process;

/// The whole file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The version of Kubernetes.
    pub(super) kubernetes: String,
    /// The binary that the parts were started from.
    pub(super) binary: PathBuf,
    kubeconfig: PathBuf,
    /// Holds kubectl, helm and ctr.
    bin: PathBuf,
    logs: PathBuf,
    /// Process ids of the control plane, by part; a part that is down is absent.
    pids: BTreeMap<String, i32>,
    nodes: Vec<NodeManifest>,
}

/// A node.
#[derive(Debug, Serialize, Deserialize)]
struct NodeManifest {
    name: String,
    ip: String,
    pod_cidr: String,
    /// The network namespace as a file, for `nsenter --net=`.
    netns: String,
    /// The cable's end in the root namespace.
    veth: String,
    /// The control group of the pods, below every controller.
    cgroup: String,
    containerd_socket: String,
    /// Process ids by program.
    pids: BTreeMap<String, i32>,
}

// === impl Manifest ===

impl Manifest {
    /// Looks at what runs now.
    pub(super) fn observe(layout: &Layout, kubernetes: String) -> Result<Self> {
        Ok(Self {
            kubernetes,
            binary: std::fs::read_link(layout.bin().join("kubectl"))?,
            kubeconfig: layout.kubeconfig(),
            bin: layout.bin(),
            logs: layout.root().join("log"),
            pids: pids(layout, &CONTROL_PLANE, |part| part.to_string()),
            nodes: layout.nodes().into_iter().map(|node| NodeManifest::observe(layout, node)).collect(),
        })
    }

    /// Reads the file; `None` if there is no whole one.
    pub(super) fn read(layout: &Layout) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(layout.manifest()).ok()?).ok()
    }

    /// Replaces the file; a reader never sees half of it.
    pub(super) fn write(&self, layout: &Layout) -> Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(layout.root())?;
        serde_json::to_writer_pretty(file.as_file_mut(), self)?;
        file.persist(layout.manifest())?;
        Ok(())
    }
}

// === impl NodeManifest ===

impl NodeManifest {
    fn observe(layout: &Layout, node: Node) -> Self {
        Self {
            name: node.to_string(),
            ip: node.ip(),
            pod_cidr: node.pod_cidr(),
            netns: node.netns(),
            veth: node.veth(),
            cgroup: node.cgroup(),
            containerd_socket: node.socket(),
            pids: pids(layout, &Part::of_node(node), |part| part.program().to_owned()),
        }
    }
}

fn pids(layout: &Layout, parts: &[Part], name: impl Fn(Part) -> String) -> BTreeMap<String, i32> {
    let running = parts.iter().filter_map(|&part| Some((name(part), process::pid(layout, part)?)));
    running.collect()
}
