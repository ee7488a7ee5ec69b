//! The pod as it should be.

use std::time::Duration;

use baton_crds::group::{HandoffGroupSpec, Resources};
use baton_crds::label;
use serde_json::{Map, Value, json};

use super::grace::grace_seconds;
use super::{container, mesh};

/// The grace period of a pod that names none.
pub(crate) const DEFAULT_GRACE: u64 = 30;

/// Fields of the agent's container that make it an agent: put back if another webhook changed them.
const OURS: [&str; 2] = ["restartPolicy", "lifecycle"];

/// What is injected.
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    /// The HandoffGroup's name.
    pub group: String,
    /// The agent's image.
    pub image: String,
    /// Where the agent reaches the directory.
    pub operator: String,
    /// Into how many shards the group hashes its keys.
    pub shards: u32,
    /// The agent's log filter.
    pub log: String,
    /// How long a leaving pod is held at most.
    pub timeout: Duration,
    /// The resources of the agent's container, if the group says.
    pub resources: Option<Resources>,
    /// Where the agent's spans go, if anywhere.
    pub traces: Option<String>,
}

/// What the operator injects where a group does not say otherwise.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The agent's image.
    pub image: String,
    /// Where agents reach the directory.
    pub operator: String,
    /// Where their spans go, if anywhere.
    pub traces: Option<String>,
}

/// The pod makes no sense as one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the pod's {0} has another type than a pod's")]
pub struct NoPod(&'static str);

// === impl Injection ===

impl Injection {
    /// What is injected into the pods of a group.
    pub fn of(group: &str, spec: &HandoffGroupSpec, defaults: &Defaults) -> Self {
        Self {
            group: group.to_owned(),
            image: spec.agent.image.clone().unwrap_or_else(|| defaults.image.clone()),
            operator: defaults.operator.clone(),
            shards: spec.replication.shards,
            log: spec.agent.log_level.as_str().to_owned(),
            timeout: spec.handoff.timeout.get(),
            resources: spec.agent.resources.clone(),
            traces: defaults.traces.clone(),
        }
    }
}

/// The pod with its agent. A pod that has its agent already, in its place, comes out as it went in.
pub fn inject(pod: &Value, injection: &Injection) -> Result<Value, NoPod> {
    let mut pod = pod.clone();
    let metadata = object(&mut pod, "metadata")?;
    entry(metadata, "labels")?.insert(label::GROUP.into(), json!(injection.group));
    let annotations = entry(metadata, "annotations")?;
    annotations.entry(label::INJECTED).or_insert_with(|| json!(injection.image));
    mesh::exclude(annotations, &injection.operator);

    let spec = object(&mut pod, "spec")?;
    let grace = raise_grace(spec, injection.timeout);
    let root = spec.get("securityContext").and_then(|context| context.get("runAsUser")) == Some(&json!(0));
    let wanted = container::agent(injection, grace, root);

    let containers = list(spec, "initContainers")?;
    let found = containers.iter().position(|one| named(one, label::AGENT_CONTAINER)).map(|at| containers.remove(at));
    containers.push(found.map_or_else(|| wanted.clone(), |found| put_in_order(found, &wanted)));

    let volumes = list(spec, "volumes")?;
    for volume in container::volumes() {
        let name = volume.get("name").and_then(Value::as_str).unwrap_or_default();
        if !volumes.iter().any(|one| named(one, name)) {
            volumes.push(volume);
        }
    }
    for app in list(spec, "containers")? {
        let app = app.as_object_mut().ok_or(NoPod("spec.containers"))?;
        tell(app, container::URL)?;
        tell(app, container::GRPC)?;
        tell(app, container::REDIS_URL)?;
        if mount_socket(app)? {
            tell(app, container::SOCKET_FILE)?;
            tell(app, container::REDIS_SOCKET)?;
        }
    }
    Ok(pod)
}

/// Sets a variable that the container does not set itself.
fn tell(app: &mut Map<String, Value>, (name, value): (&str, &str)) -> Result<(), NoPod> {
    let environment = list(app, "env")?;
    if !environment.iter().any(|variable| named(variable, name)) {
        environment.push(json!({ "name": name, "value": value }));
    }
    Ok(())
}

/// Gives the container the volume with the agent's socket. Says whether it has it: not if it mounts another there.
fn mount_socket(app: &mut Map<String, Value>) -> Result<bool, NoPod> {
    let mounts = list(app, "volumeMounts")?;
    let at = |mount: &&Value| mount.get("mountPath").and_then(Value::as_str) == Some(container::SOCKET_PATH);
    if let Some(there) = mounts.iter().find(at) {
        return Ok(named(there, container::SOCKET));
    }
    // A socket can be opened all the same, and no app removes it.
    mounts.push(json!({ "name": container::SOCKET, "mountPath": container::SOCKET_PATH, "readOnly": true }));
    Ok(true)
}

/// An agent that is there already: others may have added to it, but it must be one.
fn put_in_order(found: Value, wanted: &Value) -> Value {
    let (Value::Object(mut agent), Some(wanted)) = (found, wanted.as_object()) else { return wanted.clone() };
    for (field, value) in wanted {
        match field.as_str() {
            "env" | "volumeMounts" => {
                let merged = merge_named(agent.remove(field), value);
                agent.insert(field.clone(), merged);
            }
            field if OURS.contains(&field) => {
                agent.insert(field.into(), value.clone());
            }
            _ => {
                agent.entry(field.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    Value::Object(agent)
}

/// A list in which our entries are as we want them, each in its place, and those of others stay.
fn merge_named(found: Option<Value>, wanted: &Value) -> Value {
    let mut merged = match found {
        Some(Value::Array(found)) => found,
        _ => Vec::new(),
    };
    for entry in wanted.as_array().into_iter().flatten() {
        let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
        match merged.iter_mut().find(|one| named(one, name)) {
            Some(one) => *one = entry.clone(),
            None => merged.push(entry.clone()),
        }
    }
    Value::Array(merged)
}

/// Raises the grace period to what the handoff needs; never lowers it. Answers what it is then.
fn raise_grace(spec: &mut Map<String, Value>, timeout: Duration) -> u64 {
    const FIELD: &str = "terminationGracePeriodSeconds";
    let present = spec.get(FIELD).and_then(Value::as_u64).unwrap_or(DEFAULT_GRACE);
    let needed = grace_seconds(timeout);
    if needed > present {
        spec.insert(FIELD.into(), json!(needed));
    }
    needed.max(present)
}

fn named(value: &Value, name: &str) -> bool {
    value.get("name").and_then(Value::as_str) == Some(name)
}

fn object<'a>(value: &'a mut Value, field: &'static str) -> Result<&'a mut Map<String, Value>, NoPod> {
    let value = value.as_object_mut().ok_or(NoPod("object"))?;
    entry(value, field)
}

fn entry<'a>(parent: &'a mut Map<String, Value>, field: &'static str) -> Result<&'a mut Map<String, Value>, NoPod> {
    let child = parent.entry(field).or_insert(Value::Null);
    if child.is_null() {
        *child = json!({});
    }
    child.as_object_mut().ok_or(NoPod(field))
}

fn list<'a>(parent: &'a mut Map<String, Value>, field: &'static str) -> Result<&'a mut Vec<Value>, NoPod> {
    let child = parent.entry(field).or_insert(Value::Null);
    if child.is_null() {
        *child = json!([]);
    }
    child.as_array_mut().ok_or(NoPod(field))
}
