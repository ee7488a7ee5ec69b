//! The network: one bridge, and one namespace per node plugged into it.

use std::path::Path;

use anyhow::{Result, bail};
use rustix::mount::{UnmountFlags, unmount};

use super::layout::{BRIDGE, GATEWAY, Layout, Node};
use crate::command;

/// Lets traffic between nodes pass a firewall that drops what it forwards.
const ACCEPT: [&str; 7] = ["FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT"];

/// Switches that each node needs; only its own namespace sees them.
const NODE_SYSCTL: &str = "echo 1 > /proc/sys/net/ipv4/ip_forward; \
    [ ! -e /proc/sys/net/bridge ] || echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables";

/// Makes the bridge, the nodes' namespaces and the routes between them.
pub(super) fn make(layout: &Layout, nodes: &[Node]) -> Result<()> {
    let alias = layout.root().display().to_string();
    ip(&["link", "add", BRIDGE, "type", "bridge"])?;
    ip(&["link", "set", BRIDGE, "alias", &alias, "up"])?;
    ip(&["address", "add", &format!("{GATEWAY}/24"), "dev", BRIDGE])?;
    if command::run(&["iptables", "-S", "FORWARD"])?.starts_with("-P FORWARD DROP") {
        command::run(&[&["iptables", "-I"], &ACCEPT[..]].concat())?;
    }
    for &node in nodes {
        make_node(node, nodes)?;
    }
    Ok(())
}

fn make_node(node: Node, nodes: &[Node]) -> Result<()> {
    let name = node.to_string();
    let cable = node.veth();
    ip(&["netns", "add", &name])?;
    ip(&["link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
    ip(&["link", "set", &cable, "master", BRIDGE, "up"])?;
    let inside = |args: &[&str]| ip(&[&["-n", &name], args].concat());
    inside(&["link", "set", "lo", "up"])?;
    inside(&["link", "set", "eth0", "up"])?;
    inside(&["address", "add", &format!("{}/24", node.ip()), "dev", "eth0"])?;
    inside(&["route", "add", "default", "via", GATEWAY])?;
    for other in nodes.iter().filter(|&&other| other != node) {
        inside(&["route", "add", &other.pod_cidr(), "via", &other.ip()])?;
    }
    ip(&["route", "add", &node.pod_cidr(), "via", &node.ip()])?;
    let netns = format!("--net={}", node.netns());
    command::run(&["nsenter", &netns, "sh", "-ec", NODE_SYSCTL])?;
    Ok(())
}

/// Removes what [`make`] made, as far as it is there; routes go with the bridge.
pub(super) fn remove(nodes: &[Node]) -> Result<()> {
    for node in nodes {
        // At once: those of a deleted namespace go when the kernel finds time.
        if Path::new("/sys/class/net").join(node.veth()).exists() {
            ip(&["link", "delete", &node.veth()])?;
        }
        if Path::new(&node.netns()).exists() {
            ip(&["netns", "delete", &node.to_string()])?;
        }
    }
    remove_netns_folder();
    let Some(_) = owner() else {
        return Ok(());
    };
    let rule = |action| command::run(&[&["iptables", action], &ACCEPT[..]].concat());
    if rule("-C").is_ok() {
        rule("-D")?;
    }
    ip(&["link", "delete", BRIDGE])
}

/// `ip netns` mounts its folder when it makes a first namespace, and leaves it.
fn remove_netns_folder() {
    let folder = "/run/netns";
    let is_empty = std::fs::read_dir(folder).is_ok_and(|mut names| names.next().is_none());
    if is_empty && unmount(folder, UnmountFlags::DETACH).is_ok() {
        // Somebody may just have made a namespace.
        let _ = std::fs::remove_dir(folder);
    }
}

/// Fails if a cluster with another folder has the bridge.
pub(super) fn ensure_free(layout: &Layout) -> Result<()> {
    match owner() {
        Some(owner) if Path::new(&owner) != layout.root() => {
            bail!("another cluster is up: run `cargo xtask cluster down --root {owner}` first")
        }
        _ => Ok(()),
    }
}

/// The folder of the cluster that has the bridge.
fn owner() -> Option<String> {
    let alias = std::fs::read_to_string(format!("/sys/class/net/{BRIDGE}/ifalias")).ok()?;
    Some(alias.trim().to_owned())
}

fn ip(args: &[&str]) -> Result<()> {
    command::run(&[&["ip"], args].concat()).map(drop)
}
