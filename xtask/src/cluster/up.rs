//! The start and the end of a cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::binary::{self, Helm, Kubernetes};
use super::layout::{Layout, Node, RUN};
use super::part::{PROGRAMS, Part};
use super::{Access, cgroup, clean, config, health, image, lock, network, pki, process, status, sysctl};
use crate::apt::{self, Need};
use crate::{command, step};

/// What Debian brings. The kubelet and kube-proxy call most of these by name.
const NEEDS: [Need; 13] = [
    need("containerd", "containerd"),
    need("runc", "runc"),
    need("/usr/lib/cni/bridge", "containernetworking-plugins"),
    need("iptables", "iptables"),
    need("conntrack", "conntrack"),
    need("ipset", "ipset"),
    need("ebtables", "ebtables"),
    need("ethtool", "ethtool"),
    need("socat", "socat"),
    need("ip", "iproute2"),
    need("openssl", "openssl"),
    need("modprobe", "kmod"),
    need("mount", "mount"),
];

const fn need(program: &'static str, package: &'static str) -> Need {
    Need { program, package }
}

/// Makes sure that a cluster of `count` nodes and this version is up.
pub(super) fn up(layout: &Layout, count: u8, version: Kubernetes) -> Result<Access> {
    let _lock = lock::take()?;
    network::ensure_free(layout)?;
    apt::ensure(&NEEDS)?;
    let kubernetes = binary::kubernetes(version)?;
    if status::is_healthy(layout, count, &kubernetes) {
        return layout.access();
    }
    let helm = binary::helm(Helm::V4)?;
    let pause = image::pause()?;
    if clean::is_needed(layout) {
        step::run("Clean up what is left of an earlier cluster", |_| clean::clean(layout))?;
    }
    let nodes: Vec<Node> = (1..=count).map(Node).collect();
    step::run(&format!("Lay out {count} nodes"), |_| {
        layout.mark(count)?;
        link_programs(layout, &kubernetes, &helm)?;
        sysctl::save(layout)?;
        load_modules();
        pki::make(layout, &nodes)?;
        config::write(layout, &nodes)?;
        network::make(layout, &nodes)?;
        nodes.iter().try_for_each(|&node| cgroup::make(node))
    })?;
    start(layout, &nodes, &pause)?;
    status::record(layout, version.version()?)?;
    layout.access()
}

/// Ends the cluster, whatever its state.
pub(super) fn down(layout: &Layout) -> Result<()> {
    let _lock = lock::take()?;
    network::ensure_free(layout)?;
    if !clean::is_needed(layout) {
        eprintln!("No cluster is up.");
        return Ok(());
    }
    step::run("Remove the cluster", |_| clean::clean(layout))
}

/// Starts a part that is down, and waits until it serves.
pub(super) fn restart(layout: &Layout, part: Part) -> Result<()> {
    if process::pid(layout, part).is_some() {
        return Ok(());
    }
    let mut started = [process::start(layout, part)?];
    let what = format!("{part} does not serve");
    let runs = |part| process::pid(layout, part).is_some();
    health::wait(layout, &what, part, &mut started, || match part {
        Part::Etcd => !runs(Part::Apiserver) || health::apiserver(layout),
        Part::Apiserver => health::apiserver(layout),
        Part::Coredns => health::dns(),
        Part::Containerd(node) => health::containerd(node),
        Part::Kubelet(node) => health::kubelet(node),
        Part::ControllerManager | Part::Scheduler | Part::KubeProxy(_) => runs(part),
    })
}

fn start(layout: &Layout, nodes: &[Node], pause: &Path) -> Result<()> {
    let mut started = Vec::new();
    step::run("Start etcd and the API server", |_| {
        let early = nodes.iter().map(|&node| Part::Containerd(node));
        for part in [Part::Etcd, Part::Apiserver].into_iter().chain(early) {
            started.push(process::start(layout, part)?);
        }
        let what = "the API server is not ready";
        health::wait(layout, what, Part::Apiserver, &mut started, || health::apiserver(layout))
    })?;
    step::run("Start the container runtimes", |_| {
        for &node in nodes {
            let what = format!("containerd of {node} does not serve");
            let part = Part::Containerd(node);
            health::wait(layout, &what, part, &mut started, || health::containerd(node))?;
        }
        image::import(nodes, pause)
    })?;
    step::run("Start the controllers and the kubelets", |_| {
        let late = [Part::ControllerManager, Part::Scheduler, Part::Coredns].into_iter();
        let of_nodes = nodes.iter().flat_map(|&node| [Part::Kubelet(node), Part::KubeProxy(node)]);
        for part in late.chain(of_nodes) {
            started.push(process::start(layout, part)?);
        }
        let ready = || health::nodes(layout, nodes);
        let blamed = Part::Kubelet(Node(1));
        health::wait(layout, "not every node is Ready", blamed, &mut started, ready)?;
        let ready = || health::service_account(layout);
        let blamed = Part::ControllerManager;
        health::wait(layout, "no service account is made", blamed, &mut started, ready)?;
        health::wait(layout, "DNS is not ready", Part::Coredns, &mut started, health::dns)
    })
}

/// Fills the folders of programs: the parts, and what people and tests call.
fn link_programs(layout: &Layout, kubernetes: &Path, helm: &Path) -> Result<()> {
    let (bin, parts) = (layout.bin(), layout.parts());
    for name in PROGRAMS {
        binary::link(kubernetes, &parts.join(name))?;
    }
    binary::link(&command::find_system("containerd")?, &parts.join("containerd"))?;
    binary::link(kubernetes, &bin.join("kubectl"))?;
    binary::link(helm, &bin.join("helm"))?;
    let ctr = format!(
        "#!/bin/sh\n# ctr NODE ARGS...: containerd's client on one node.\nnode=$1; shift\n\
         exec {} --address {RUN}/$node/containerd.sock --namespace k8s.io \"$@\"\n",
        command::find_system("ctr")?.display()
    );
    write_program(bin.join("ctr"), &ctr)
}

fn write_program(file: PathBuf, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(&file, text)?;
    Ok(fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?)
}

/// A kernel may have these built in, or may load them on its own.
fn load_modules() {
    for module in ["overlay", "br_netfilter", "nf_conntrack"] {
        let _ = command::output(Command::new("modprobe").arg(module));
    }
}
