//! What a failed scenario leaves behind, beside the logs of its agents: events, objects, the operator's log, and how the
//! cluster was.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cluster::{OPERATOR, SYSTEM};
use crate::stage::Stage;

/// Objects of Baton and of the pods, in full.
const OBJECTS: &str = "handoffgroups,memberships,deployments,replicasets,statefulsets,daemonsets,pods";

/// Lines of the operators' log that are printed, and characters of each.
const COMPLAINTS: usize = 12;
const WIDTH: usize = 400;

/// Of each node: whether it is ready, what it lacks, and whom it turns away.
const NODES: &str = "--output=custom-columns=NODE:.metadata.name,CONDITIONS:.status.conditions[*].type,\
                     STATUS:.status.conditions[*].status,TAINTS:.spec.taints[*].key";

/// Collects it into the scenario's folder, and prints how the cluster is: the folder may be on a machine that nobody can
/// look at. What cannot be had is left out, and said in its file.
pub fn collect(stage: &Stage) {
    let namespace = stage.namespace.as_str();
    let file = |name: &str, text: Result<String>| {
        let text = text.unwrap_or_else(|error| format!("cannot be had: {error:#}\n"));
        let _ = std::fs::write(stage.folder.join(name), text);
    };
    let kubectl = |words: &[&str]| stage.cluster.kubectl(&[&["-n", namespace], words].concat());
    file("objects.yaml", kubectl(&["get", OBJECTS, "--output=yaml"]));
    file("describe.txt", kubectl(&["describe", OBJECTS]));
    file("events.txt", events(stage));
    let selector = format!("deployment/{OPERATOR}");
    let log = ["-n", SYSTEM, "logs", &selector, "--all-pods=true", "--prefix", "--since=15m", "--tail=5000"];
    let log = stage.cluster.kubectl(&log);
    let state = [state(stage), complaints(log.as_deref().unwrap_or_default())].concat();
    eprintln!("the cluster after {}:\n{}", stage.namespace, state.trim_end());
    file("operator.log", log);
    file("cluster.txt", Ok(state));
}

/// The processes, the nodes and the operators, and how full the machine's disk is.
fn state(stage: &Stage) -> String {
    let cluster = &stage.cluster;
    let parts = [
        cluster.status(),
        cluster.kubectl(&["get", "nodes", NODES]),
        cluster.kubectl(&["-n", SYSTEM, "get", "pods,leases", "--output=wide"]),
        cluster.kubectl(&["-n", "default", "get", "endpointslices"]),
        command("df", &["-h", "/", "/var/lib"]),
        command("free", &["-m"]),
    ];
    parts.map(|part| part.unwrap_or_else(|error| format!("cannot be had: {error:#}\n"))).concat()
}

/// The last that the operators complained about.
fn complaints(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(COMPLAINTS));
    last.map(|line| line.chars().take(WIDTH).chain(['\n']).collect::<String>()).collect()
}

fn command(program: &str, words: &[&str]) -> Result<String> {
    let done = Command::new(program).args(words).output().with_context(|| format!("cannot run {program}"))?;
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn events(stage: &Stage) -> Result<String> {
    let list = stage.cluster.api.get(&stage.path("Event", ""))?;
    let mut lines: Vec<String> = list["items"].as_array().into_iter().flatten().map(line).collect();
    lines.sort();
    Ok(lines.concat())
}

fn line(event: &Value) -> String {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let time = [text("/eventTime"), text("/lastTimestamp")].concat();
    let subject = format!("{}/{}", text("/involvedObject/kind"), text("/involvedObject/name"));
    format!("{time} {} {subject} {}: {}\n", text("/type"), text("/reason"), text("/message"))
}

/// The files of a folder, for the message of a failure.
pub fn listing(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names.join(" ")
}
