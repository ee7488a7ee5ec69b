//! The end of a cluster, whole or half dead: nothing is left behind.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::mount::{UnmountFlags, unmount};

use super::layout::{Layout, MAX_NODES, Node, RUN};
use super::{cgroup, network, process, sysctl};
use crate::command;

/// Where CNI keeps its results.
const CNI_RESULTS: &str = "/var/lib/cni/results";

/// Where a kubelet links the logs of its containers.
const LOG_LINKS: &str = "/var/log/containers";

/// Where a kubelet of the machine itself would live.
const KUBELET: &str = "/var/lib/kubelet";

/// Whether anything of a cluster is on this machine.
pub(super) fn is_needed(layout: &Layout) -> bool {
    !layout.nodes().is_empty()
        || Path::new(RUN).exists()
        || nodes().iter().any(|node| Path::new(&node.netns()).exists())
        || !process::leftovers(layout).is_empty()
}

/// Ends every process and removes every trace, as far as it is there.
///
/// The order matters: kubelets first, or they start again what is killed; mounts
/// after the processes that use them; the folder that marks the cluster last, so
/// that an interrupted run can be repeated.
pub(super) fn clean(layout: &Layout) -> Result<()> {
    end_processes(layout)?;
    remove_shim_sockets();
    unmount_all(layout)?;
    network::remove(&nodes())?;
    for node in nodes() {
        cgroup::remove(node)?;
    }
    remove_shared_files(layout);
    sysctl::restore(layout)?;
    for folder in [Path::new(RUN), layout.root()] {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", folder.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Every node that a cluster can have: an earlier one may have had more.
fn nodes() -> Vec<Node> {
    (1..=MAX_NODES).filter_map(|number| Some(Node(number.try_into().ok()?))).collect()
}

fn end_processes(layout: &Layout) -> Result<()> {
    process::kill(&process::leftovers(layout))?;
    for node in nodes() {
        let mut pids = cgroup::processes(node)?;
        if Path::new(&node.netns()).exists() {
            let others = command::run(&["ip", "netns", "pids", &node.to_string()])?;
            pids.extend(others.lines().filter_map(|line| line.trim().parse::<i32>().ok()));
        }
        process::kill(&pids)?;
    }
    // A shim that was just starting shows only now.
    process::kill(&process::leftovers(layout))
}

/// Each shim notes the path of its socket, which lies in a folder that all
/// containerds of the machine share.
fn remove_shim_sockets() {
    for node in nodes() {
        let tasks = format!("{}/containerd/io.containerd.runtime.v2.task/k8s.io", node.run());
        for task in fs::read_dir(tasks).into_iter().flatten().flatten() {
            let address = fs::read_to_string(task.path().join("address")).unwrap_or_default();
            if let Some(socket) = address.trim().strip_prefix("unix://") {
                // Most shims remove their own.
                let _ = fs::remove_file(socket);
            }
        }
    }
}

/// Lazily, for a mount may be busy in a namespace that is just going away.
fn unmount_all(layout: &Layout) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let prefixes = [format!("{RUN}/"), format!("{}/", layout.root().display())];
    let points = mounts.lines().rev().filter_map(|line| line.split(' ').nth(1));
    for point in points.map(|point| point.replace("\\040", " ")) {
        if prefixes.iter().any(|prefix| point.starts_with(prefix)) {
            unmount(point.as_str(), UnmountFlags::DETACH).with_context(|| format!("cannot unmount {point}"))?;
        }
    }
    Ok(())
}

/// Files of ours in folders that others share, and those folders if that leaves
/// them empty.
fn remove_shared_files(layout: &Layout) {
    // CNI names its results by container; each holds the path of a namespace.
    remove_files(CNI_RESULTS, |file| fs::read_to_string(file).is_ok_and(|text| text.contains(RUN)));
    remove_files(LOG_LINKS, |file| fs::read_link(file).is_ok_and(|to| to.starts_with(layout.root())));
    // A kubelet listens for device plugins here, whatever its folder. One that
    // is not ours has more files beside this.
    let mut beside = fs::read_dir(KUBELET).into_iter().flatten().flatten();
    if beside.all(|entry| entry.file_name() == "device-plugins") {
        remove_files(&format!("{KUBELET}/device-plugins"), |_| true);
    }
    for folder in [KUBELET, "/var/lib/cni", "/run/containerd/s", "/run/containerd"] {
        let _ = fs::remove_dir(folder);
    }
}

/// Removes the files that are ours, and then the folder if it is empty. What
/// cannot be removed does no harm to the next cluster.
fn remove_files(folder: &str, is_ours: impl Fn(&Path) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_ours(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}
