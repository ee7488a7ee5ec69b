//! The configuration files of the parts.

use anyhow::Result;
use serde_json::{Value, json};

use super::image::PAUSE;
use super::layout::{GATEWAY, Layout, Node, POD_CIDR};

/// Writes every file; the keys come from [`super::pki`].
pub(super) fn write(layout: &Layout, nodes: &[Node]) -> Result<()> {
    std::fs::write(layout.path("Corefile"), corefile(layout))?;
    for &node in nodes {
        for folder in ["cni", "containerd", "kubelet", "pods"] {
            std::fs::create_dir_all(layout.node_path(node, folder))?;
        }
        std::fs::create_dir_all(node.run())?;
        let write = |name: &str, text: String| std::fs::write(layout.node_path(node, name), text);
        write("containerd.toml", containerd(layout, node))?;
        write("cni/10-pods.conflist", network(layout, node).to_string())?;
        write("kubelet.json", kubelet(layout, node).to_string())?;
        write("proxy.json", proxy(layout, node).to_string())?;
    }
    Ok(())
}

fn corefile(layout: &Layout) -> String {
    format!(
        ".:53 {{
  bind {GATEWAY}
  errors
  ready {GATEWAY}:8181
  kubernetes cluster.local 10.in-addr.arpa {{
    kubeconfig {}
  }}
}}
",
        layout.kubeconfig().display()
    )
}

fn containerd(layout: &Layout, node: Node) -> String {
    let root = layout.node_path(node, "containerd");
    let cni = layout.node_path(node, "cni");
    let run = node.run();
    let socket = node.socket();
    // A machine without CAP_SYS_RESOURCE cannot give a pod's first container the
    // score that the kubelet asks for: `restrict_oom_score_adj`.
    format!(
        r#"version = 2
root = "{root}"
state = "{run}/containerd"
[grpc]
address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
restrict_oom_score_adj = true
sandbox_image = "{PAUSE}"
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{cni}"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{run}/runc"
SystemdCgroup = false
"#
    )
}

fn network(layout: &Layout, node: Node) -> Value {
    json!({
        "cniVersion": "0.4.0",
        "name": node.cgroup(),
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "ipMasq": false,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": layout.node_path(node, "addresses"),
                    "ranges": [[{"subnet": node.pod_cidr()}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
}

fn kubelet(layout: &Layout, node: Node) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.ip(),
        "healthzBindAddress": node.ip(),
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": layout.pki("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": layout.pki(&format!("{node}.crt")),
        "tlsPrivateKeyFile": layout.pki(&format!("{node}.key")),
        "containerRuntimeEndpoint": format!("unix://{}", node.socket()),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", node.cgroup()),
        "failCgroupV1": false,
        "failSwapOn": false,
        "enforceNodeAllocatable": ["pods"],
        "clusterDomain": "cluster.local",
        "clusterDNS": [GATEWAY],
        "podLogsDir": layout.node_path(node, "pods"),
        "volumePluginDir": layout.node_path(node, "plugins"),
        "maxPods": 200,
        // Images come from no registry: one that is thrown away is lost.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "100Mi",
            "imagefs.available": "100Mi",
        },
    })
}

fn proxy(layout: &Layout, node: Node) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": layout.kubeconfig()},
        "mode": "iptables",
        "clusterCIDR": POD_CIDR,
        // The limits of connection tracking belong to the machine.
        "conntrack": {"maxPerCore": 0},
        "hostnameOverride": node.to_string(),
    })
}
