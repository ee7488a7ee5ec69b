//! What a failed scenario leaves behind, beside the logs of its agents: events, objects, the operator's log.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::cluster::{OPERATOR, SYSTEM};
use crate::stage::Stage;

/// Objects of Baton and of the pods, in full.
const OBJECTS: &str = "handoffgroups,memberships,deployments,replicasets,statefulsets,daemonsets,pods";

/// Collects it into the scenario's folder. What cannot be had is left out, and said in its file.
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
    file("operator.log", stage.cluster.kubectl(&log));
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
