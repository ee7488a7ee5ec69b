//! The control groups that hold the pods of each node.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::layout::Node;

/// Where control groups are mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// How long an emptied group may take to let go of its last process.
const PATIENCE: Duration = Duration::from_secs(60);

/// Controllers that the kubelet wants below the root of version 2.
const CONTROLLERS: [&str; 6] = ["cpu", "cpuset", "io", "memory", "pids", "hugetlb"];

/// Makes the group of a node, below every controller.
pub(super) fn make(node: Node) -> Result<()> {
    if is_v2() {
        for controller in CONTROLLERS {
            // A kernel may lack one; the kubelet says which it cannot do without.
            let _ = fs::write(format!("{MOUNT}/cgroup.subtree_control"), format!("+{controller}"));
        }
    }
    // The tree of version 2 beside those of version 1 is made by runc.
    let is_managed = |hierarchy: &PathBuf| is_v2() || hierarchy.join("tasks").exists();
    for hierarchy in hierarchies()?.into_iter().filter(is_managed) {
        let group = hierarchy.join(node.cgroup());
        fs::create_dir_all(&group).with_context(|| format!("cannot make control group {}", group.display()))?;
        // Version 1 gives a new group no CPU and no memory node until told.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if !is_v2() && hierarchy.join(file).exists() {
                fs::write(group.join(file), fs::read(hierarchy.join(file))?)?;
            }
        }
    }
    Ok(())
}

/// The processes in the group of a node and below.
pub(super) fn processes(node: Node) -> Result<Vec<i32>> {
    let mut pids = Vec::new();
    for group in groups(node)? {
        let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    }
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// Removes the group of a node, which has no processes any more.
pub(super) fn remove(node: Node) -> Result<()> {
    let start = Instant::now();
    loop {
        for group in groups(node)? {
            // One that is still busy is seen again in the next round.
            let _ = fs::remove_dir(group);
        }
        let left = groups(node)?;
        let Some(group) = left.first() else {
            return Ok(());
        };
        if start.elapsed() > PATIENCE {
            bail!("control group {} does not go away", group.display());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The groups of a node under every hierarchy, inner ones first.
fn groups(node: Node) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for hierarchy in hierarchies()? {
        collect(&hierarchy.join(node.cgroup()), &mut found);
    }
    Ok(found)
}

fn collect(group: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(group) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), found);
        }
    }
    found.push(group.to_owned());
}

/// The roots below which a node's group is made.
fn hierarchies() -> Result<Vec<PathBuf>> {
    if is_v2() {
        return Ok(vec![PathBuf::from(MOUNT)]);
    }
    let entries = fs::read_dir(MOUNT).context("cannot read the control groups")?;
    let found = entries.flatten().filter(|entry| {
        // Links such as `cpu -> cpu,cpuacct` name a folder that is seen anyway.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_folder && entry.path().join("cgroup.procs").exists()
    });
    Ok(found.map(|entry| entry.path()).collect())
}

fn is_v2() -> bool {
    Path::new(MOUNT).join("cgroup.controllers").exists()
}
