//! Kernel switches that kubelet and kube-proxy turn, put back at the end.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;

use super::layout::Layout;

/// What a kubelet sets when it starts, and what containers need.
const SWITCHES: [&str; 5] = [
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
];

/// Notes the values from before the cluster.
pub(super) fn save(layout: &Layout) -> Result<()> {
    let values: BTreeMap<&str, String> =
        SWITCHES.into_iter().filter_map(|name| Some((name, fs::read_to_string(file(name)).ok()?))).collect();
    Ok(fs::write(saved(layout), serde_json::to_vec(&values)?)?)
}

/// Puts the noted values back.
pub(super) fn restore(layout: &Layout) -> Result<()> {
    let Ok(text) = fs::read(saved(layout)) else {
        return Ok(());
    };
    let values: BTreeMap<String, String> = serde_json::from_slice(&text).unwrap_or_default();
    for (name, value) in values {
        let is_other = fs::read_to_string(file(&name)).is_ok_and(|now| now != value);
        if is_other && SWITCHES.contains(&name.as_str()) {
            fs::write(file(&name), value)?;
        }
    }
    Ok(())
}

fn file(name: &str) -> String {
    format!("/proc/sys/{name}")
}

fn saved(layout: &Layout) -> String {
    layout.path("sysctl.json")
}
