//! The kinds of the Prometheus operator, as far as the chart uses them, and Grafana's dashboard.

#![expect(dead_code, reason = "fields are there to be read from an object, and refused where they are none")]

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An object of `monitoring.coreos.com/v1`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Monitoring<S> {
    api_version: String,
    kind: String,
    metadata: Value,
    spec: S,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ServiceMonitor {
    selector: Value,
    namespace_selector: Namespaces,
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodMonitor {
    selector: Value,
    namespace_selector: Namespaces,
    #[serde(default)]
    pod_target_labels: Vec<String>,
    pod_metrics_endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Namespaces {
    #[serde(default)]
    any: bool,
    #[serde(default)]
    match_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Endpoint {
    port: String,
    path: String,
    interval: String,
    #[serde(default)]
    honor_labels: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PrometheusRule {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(default, rename = "for")]
    lasting: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// Whether an object is one of its kind.
pub(super) fn check(kind: &str, value: &Value) -> Result<()> {
    match kind {
        "ServiceMonitor" => {
            let spec: ServiceMonitor = read(value)?;
            ensure!(!spec.endpoints.is_empty(), "nothing is scraped");
        }
        "PodMonitor" => {
            let spec: PodMonitor = read(value)?;
            ensure!(!spec.pod_metrics_endpoints.is_empty() && spec.namespace_selector.any, "nothing is scraped");
        }
        "PrometheusRule" => {
            read::<PrometheusRule>(value)?.groups.iter().flat_map(|group| &group.rules).try_for_each(rule)?
        }
        _ => bail!("nobody knows the kind {kind}"),
    }
    Ok(())
}

/// Whether a dashboard is JSON that Grafana takes: panels with ids of their own, each with a query.
pub(super) fn dashboard(value: &Value) -> Result<()> {
    let text = value["data"]["baton.json"].as_str().context("there is no dashboard in it")?;
    let board: Value = serde_json::from_str(text).context("the dashboard is no JSON")?;
    let panels = board["panels"].as_array().context("it has no panels")?;
    for panel in panels {
        let named = |other: &&Value| other["id"] == panel["id"];
        ensure!(panels.iter().filter(named).count() == 1, "two panels have the id {}", panel["id"]);
        let queries = panel["targets"].as_array().map_or(0, Vec::len);
        ensure!(queries > 0 && panel["title"].is_string() && panel["gridPos"].is_object(), "{panel}");
    }
    Ok(())
}

fn read<S: DeserializeOwned>(value: &Value) -> Result<S> {
    let object: Monitoring<S> = serde_json::from_value(value.clone()).context("it is none of its kind")?;
    ensure!(object.api_version == "monitoring.coreos.com/v1", "its version is {}", object.api_version);
    Ok(object.spec)
}

fn rule(rule: &Rule) -> Result<()> {
    let severity = rule.labels.get("severity").map(String::as_str);
    ensure!(matches!(severity, Some("critical" | "warning")), "{} has no severity", rule.alert);
    for said in ["summary", "description"] {
        ensure!(rule.annotations.contains_key(said), "{} has no {said}", rule.alert);
    }
    let pairs = [('(', ')'), ('{', '}'), ('[', ']')];
    let count = |wanted: char| rule.expr.chars().filter(|found| *found == wanted).count();
    ensure!(pairs.iter().all(|(open, close)| count(*open) == count(*close)), "{}: {}", rule.alert, rule.expr);
    Ok(())
}
