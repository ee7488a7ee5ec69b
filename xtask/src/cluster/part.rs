//! The processes of a cluster: what each is called and how it is started.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};

use super::layout::{GATEWAY, Layout, Node, SERVICE_CIDR};

/// A process of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The store.
    Etcd,
    /// The API server.
    Apiserver,
    /// The controllers.
    ControllerManager,
    /// The scheduler.
    Scheduler,
    /// Cluster DNS.
    Coredns,
    /// A node's container runtime.
    Containerd(Node),
    /// A node's kubelet.
    Kubelet(Node),
    /// A node's Service rules.
    KubeProxy(Node),
}

/// Every program that a part may be.
pub(super) const PROGRAMS: [&str; 8] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "coredns",
    "containerd",
    "kubelet",
    "kube-proxy",
];

/// The parts of the control plane, in the order of their start.
pub(super) const CONTROL_PLANE: [Part; 5] =
    [Part::Etcd, Part::Apiserver, Part::ControllerManager, Part::Scheduler, Part::Coredns];

// === impl Part ===

impl Part {
    /// The parts of one node, in the order of their start.
    pub(super) fn of_node(node: Node) -> [Self; 3] {
        [Self::Containerd(node), Self::Kubelet(node), Self::KubeProxy(node)]
    }

    /// Every part of a cluster with these nodes.
    pub(super) fn all(nodes: &[Node]) -> Vec<Self> {
        let of_nodes = nodes.iter().copied().flat_map(Self::of_node);
        CONTROL_PLANE.into_iter().chain(of_nodes).collect()
    }

    /// The node that the part belongs to.
    pub(super) fn node(self) -> Option<Node> {
        match self {
            Self::Containerd(node) | Self::Kubelet(node) | Self::KubeProxy(node) => Some(node),
            Self::Etcd | Self::Apiserver | Self::ControllerManager | Self::Scheduler | Self::Coredns => None,
        }
    }

    /// The name of the program.
    pub(super) fn program(self) -> &'static str {
        let [etcd, apiserver, controllers, scheduler, coredns, containerd, kubelet, proxy] = PROGRAMS;
        match self {
            Self::Etcd => etcd,
            Self::Apiserver => apiserver,
            Self::ControllerManager => controllers,
            Self::Scheduler => scheduler,
            Self::Coredns => coredns,
            Self::Containerd(_) => containerd,
            Self::Kubelet(_) => kubelet,
            Self::KubeProxy(_) => proxy,
        }
    }

    /// The command line. It is the same on every start, and no other process
    /// has it: it is how a part is found again.
    pub(super) fn argv(self, layout: &Layout) -> Vec<String> {
        let program = layout.parts().join(self.program()).display().to_string();
        let args = match self {
            Self::Etcd => etcd(layout),
            Self::Apiserver => apiserver(layout),
            Self::ControllerManager => controller_manager(layout),
            Self::Scheduler => vec![
                format!("--kubeconfig={}", layout.kubeconfig().display()),
                "--bind-address=127.0.0.1".into(),
                "--leader-elect=false".into(),
            ],
            Self::Coredns => vec!["-conf".into(), layout.path("Corefile")],
            Self::Containerd(node) => {
                vec!["--config".into(), layout.node_path(node, "containerd.toml")]
            }
            Self::Kubelet(node) => vec![
                format!("--config={}", layout.node_path(node, "kubelet.json")),
                format!("--kubeconfig={}", layout.pki(&format!("{node}.kubeconfig"))),
                format!("--hostname-override={node}"),
                format!("--node-ip={}", node.ip()),
                format!("--root-dir={}", layout.node_path(node, "kubelet")),
                format!("--cert-dir={}", layout.node_path(node, "kubelet/pki")),
                // Else, once a minute, it may remove a container that has ended while the one that replaces it is made,
                // and how it ended is forgotten.
                "--minimum-container-ttl-duration=1m".into(),
            ],
            Self::KubeProxy(node) => {
                vec![format!("--config={}", layout.node_path(node, "proxy.json"))]
            }
        };
        std::iter::once(program).chain(args).collect()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.program();
        match self.node() {
            Some(node) => write!(f, "{name}:{node}"),
            None => f.write_str(name.strip_prefix("kube-").unwrap_or(name)),
        }
    }
}

impl FromStr for Part {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((name, node)) = text.split_once(':') else {
            return CONTROL_PLANE
                .into_iter()
                .find(|part| part.to_string() == text)
                .with_context(|| format!("no part {text}, or it needs a node as in {text}:node-1"));
        };
        let node = node
            .strip_prefix("node-")
            .and_then(|number| number.parse().ok())
            .map(Node)
            .with_context(|| format!("{node} is no node's name such as node-1"))?;
        match name {
            "containerd" => Ok(Self::Containerd(node)),
            "kubelet" => Ok(Self::Kubelet(node)),
            "kube-proxy" => Ok(Self::KubeProxy(node)),
            _ => bail!("a node has no part {name}"),
        }
    }
}

/// etcd's port is not its usual one, so that an etcd of the machine can stay.
const ETCD: &str = "http://127.0.0.1:32379";

fn etcd(layout: &Layout) -> Vec<String> {
    vec![
        format!("--data-dir={}", layout.path("etcd")),
        format!("--listen-client-urls={ETCD}"),
        format!("--advertise-client-urls={ETCD}"),
        "--listen-peer-urls=http://127.0.0.1:32380".into(),
        // A power cut may lose the cluster; it is made in seconds.
        "--unsafe-no-fsync".into(),
    ]
}

fn apiserver(layout: &Layout) -> Vec<String> {
    let pki = |file| layout.pki(file);
    vec![
        format!("--etcd-servers={ETCD}"),
        format!("--bind-address={GATEWAY}"),
        format!("--advertise-address={GATEWAY}"),
        "--secure-port=6443".into(),
        format!("--service-cluster-ip-range={SERVICE_CIDR}"),
        format!("--client-ca-file={}", pki("ca.crt")),
        format!("--tls-cert-file={}", pki("apiserver.crt")),
        format!("--tls-private-key-file={}", pki("apiserver.key")),
        format!("--service-account-key-file={}", pki("sa.pub")),
        format!("--service-account-signing-key-file={}", pki("sa.key")),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        "--authorization-mode=Node,RBAC".into(),
        "--enable-admission-plugins=NodeRestriction,PodSecurity".into(),
        "--allow-privileged=true".into(),
        // Webhooks are called at their pods' addresses: no kube-proxy runs here.
        "--enable-aggregator-routing=true".into(),
        format!("--kubelet-certificate-authority={}", pki("ca.crt")),
        format!("--kubelet-client-certificate={}", pki("admin.crt")),
        format!("--kubelet-client-key={}", pki("admin.key")),
        "--kubelet-preferred-address-types=InternalIP".into(),
    ]
}

fn controller_manager(layout: &Layout) -> Vec<String> {
    let pki = |file| layout.pki(file);
    vec![
        format!("--kubeconfig={}", layout.kubeconfig().display()),
        "--bind-address=127.0.0.1".into(),
        format!("--service-account-private-key-file={}", pki("sa.key")),
        format!("--root-ca-file={}", pki("ca.crt")),
        format!("--cluster-signing-cert-file={}", pki("ca.crt")),
        format!("--cluster-signing-key-file={}", pki("ca.key")),
        // A node's pods have the subnet of its number, by its CNI configuration.
        "--allocate-node-cidrs=false".into(),
        "--use-service-account-credentials=true".into(),
        "--leader-elect=false".into(),
        format!("--flex-volume-plugin-dir={}", layout.path("plugins")),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Node, Part};

    #[test]
    fn every_part_is_found_by_the_name_it_prints() {
        for part in Part::all(&[Node(1), Node(3)]) {
            assert_eq!(part.to_string().parse::<Part>().ok(), Some(part));
        }
        assert!("kubelet".parse::<Part>().is_err());
        assert!("etcd:node-1".parse::<Part>().is_err());
    }
}
