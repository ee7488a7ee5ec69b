//! What runs, for people and for `cluster.json`.

use anyhow::{Context, Result, bail};

use super::layout::Layout;
use super::manifest::Manifest;
use super::part::Part;
use super::{health, process};

/// Prints every part and node; fails unless all are well.
pub(super) fn print(layout: &Layout) -> Result<()> {
    let nodes = layout.nodes();
    if nodes.is_empty() {
        bail!("no cluster is up: run `cargo xtask cluster up`");
    }
    let mut down = Vec::new();
    println!("{:<22} {:>8} {:>9}", "PART", "PID", "MEMORY");
    for part in Part::all(&nodes) {
        match process::pid(layout, part) {
            Some(pid) => println!("{:<22} {pid:>8} {:>6} MB", part.to_string(), megabytes(pid)),
            None => {
                println!("{:<22} {:>8}", part.to_string(), "-");
                down.push(part.to_string());
            }
        }
    }
    let ready = health::ready_nodes(layout).unwrap_or_default();
    println!("\nready nodes: {} of {} ({})", ready.len(), nodes.len(), ready.join(" "));
    println!("kubeconfig:  {}", layout.kubeconfig().display());
    println!("programs:    {}", layout.bin().display());
    println!("logs:        {}", layout.path("log"));
    if !down.is_empty() {
        bail!("not running: {}", down.join(" "));
    }
    if ready.len() != nodes.len() {
        bail!("not every node is Ready");
    }
    Ok(())
}

/// Whether `up` has nothing to do: everything runs, from this very binary.
pub(super) fn is_healthy(layout: &Layout, count: u8, kubernetes: &std::path::Path) -> bool {
    let nodes = layout.nodes();
    let same = Manifest::read(layout).is_some_and(|manifest| manifest.binary == kubernetes);
    same && nodes.len() == usize::from(count)
        && Part::all(&nodes).into_iter().all(|part| process::pid(layout, part).is_some())
        && health::nodes(layout, &nodes)
        && health::dns()
}

/// Writes down what runs now, from a cluster of this version.
pub(super) fn record(layout: &Layout, kubernetes: String) -> Result<()> {
    Manifest::observe(layout, kubernetes)?.write(layout)
}

/// Writes down what runs now, after a part has been stopped or started.
pub(super) fn record_again(layout: &Layout) -> Result<()> {
    let before = Manifest::read(layout).context("the cluster did not come up to its end")?;
    record(layout, before.kubernetes)
}

/// Resident memory of a process.
fn megabytes(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
