//! `cargo xtask cluster`: a real Kubernetes for demo and tests.
//!
//! A node is a network namespace with its own containerd, kubelet and
//! kube-proxy; the control plane runs beside them. All of it comes from one
//! binary that is built from the Go module in `tests/cluster`.

mod binary;
mod cgroup;
mod clean;
mod command_line;
mod config;
mod external;
mod health;
mod image;
mod layout;
mod lock;
mod manifest;
mod network;
mod part;
mod pki;
mod process;
mod status;
mod sysctl;
mod up;

use std::path::PathBuf;

use anyhow::{Result, bail};

use binary::Kubernetes;
pub(crate) use binary::{Helm, helm};
pub(crate) use command_line::{Args, run};
use layout::Layout;

/// A cluster, and the programs to talk to it.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// The administrator's kubeconfig; its current context is the cluster.
    pub(crate) kubeconfig: PathBuf,
    /// The `kubectl` to use.
    pub(crate) kubectl: PathBuf,
    /// The `helm` to use.
    pub(crate) helm: PathBuf,
}

/// Which cluster to use.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Target {
    /// Use the cluster of this kubeconfig context instead of making one
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The folder of the cluster's state and logs
    #[arg(long, global = true, value_name = "DIR", default_value = layout::DEFAULT_ROOT)]
    pub(crate) root: PathBuf,
    /// The version of Kubernetes, should a cluster be made
    #[arg(long, global = true, value_enum, default_value_t = Kubernetes::default(), conflicts_with = "context")]
    kubernetes: Kubernetes,
}

// === impl Target ===

impl Target {
    /// Makes sure that the cluster is there and healthy.
    pub(crate) fn up(&self, nodes: u8) -> Result<Access> {
        match &self.context {
            Some(context) => external::access(context),
            None => up::up(&self.layout()?, nodes, self.kubernetes),
        }
    }

    /// How to reach the cluster, which must be up.
    pub(crate) fn access(&self) -> Result<Access> {
        match &self.context {
            Some(context) => external::access(context),
            None => self.layout()?.access(),
        }
    }

    /// Brings docker-archive tars onto every node.
    pub(crate) fn load(&self, images: &[PathBuf]) -> Result<()> {
        match &self.context {
            Some(context) => external::refuse_load(context, images),
            None => image::load(&self.layout()?, images),
        }
    }

    /// Ends the cluster and removes all that it left on the machine.
    pub(crate) fn down(&self) -> Result<()> {
        match &self.context {
            Some(context) => bail!("context {context} was not made here: it is left alone"),
            None => up::down(&self.layout()?),
        }
    }

    fn layout(&self) -> Result<Layout> {
        Layout::new(&self.root)
    }
}
