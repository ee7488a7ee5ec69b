//! The chart, as both major versions of Helm see it: what it makes for which values, and that each object is one that its
//! kind allows.

mod monitoring;
mod object;
mod right;
mod value;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::tally::Tally;
use crate::cluster::{Helm, helm};
use crate::{command, step, workspace};
use object::Object;

/// Without a cluster, Helm thinks of one that is far too old.
const OLDEST: &str = "1.29.0";

/// Turns everything on that is off by default.
const ALL: [&str; 6] = [
    "metrics.serviceMonitor.enabled=true",
    "metrics.podMonitor.enabled=true",
    "metrics.prometheusRule.enabled=true",
    "metrics.dashboard.enabled=true",
    "operator.podLabels.team=a",
    "traces.collector=http://otel-collector.observability:4317",
];

/// What is there for the given values, besides what is always there.
const CASES: [(&str, &[&str], &[&str]); 5] = [
    ("by default", &[], &["PodDisruptionBudget", "NetworkPolicy"]),
    (
        "with everything on",
        &ALL,
        &["PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"],
    ),
    ("with one operator", &["operator.replicas=1"], &["NetworkPolicy"]),
    (
        "without what can be left out",
        &["networkPolicy.enabled=false", "operator.podDisruptionBudget.enabled=false"],
        &[],
    ),
    ("without its kinds", &["crds.enabled=false"], &["PodDisruptionBudget", "NetworkPolicy"]),
];

/// Where the operator may make keepers, for the given values; an empty name is everywhere.
const KEEPERS: [(&[&str], &[&str]); 3] =
    [(&[], &[""]), (&["keepers.namespaces={cart,shop}"], &["cart", "shop"]), (&["keepers.enabled=false"], &[])];

/// Needed for Baton to work.
const ALWAYS: [&str; 8] = [
    "Deployment",
    "Service",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "MutatingWebhookConfiguration",
];

/// There only if the values say so.
const SOMETIMES: [&str; 6] =
    ["PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"];

/// Values that are refused.
const REFUSED: [&str; 10] = [
    "operator.replicas=-1",
    "operator.replica=2",
    "operator.podDisruptionBudget.maxUnavailable=some",
    "metrics.serviceMonitor.interval=often",
    "metrics.prometheusRule.enabled=maybe",
    "identity.trustDomain=UPPER",
    "keepers.namespaces=shop",
    "webhook.timeoutSeconds=31",
    "networkPolicy.metricsFrom=all",
    "traces.collector=otel-collector:4317",
];

/// Counts what each version of Helm makes of the chart.
pub(super) fn run(tally: &mut Tally) {
    let chart = workspace::root().join("charts/baton");
    let title = "The chart's schema names every value";
    tally.count(title, step::run(title, |_| value::check(&chart)));
    for version in [Helm::V4, Helm::V3] {
        let program = match helm(version) {
            Ok(program) => program,
            Err(error) => {
                tally.failed(&format!("Helm {version}"), &format!("{error:#}"));
                continue;
            }
        };
        let title = format!("Lint the chart with Helm {version}");
        tally.count(&title, step::run(&title, |_| lint(&program, &chart)));
        for (what, values, there) in CASES {
            let title = format!("Render the chart {what} with Helm {version}");
            tally.count(&title, step::run(&title, |_| case(&program, &chart, values, there)));
        }
        let title = format!("Grant the rights that are needed with Helm {version}");
        tally.count(&title, step::run(&title, |_| rights(&program, &chart)));
        let title = format!("Refuse wrong values with Helm {version}");
        tally.count(&title, step::run(&title, |_| refuse(&program, &chart)));
    }
}

fn lint(helm: &Path, chart: &Path) -> Result<()> {
    command::output(Command::new(helm).args(["lint", "--strict"]).arg(chart)).map(drop)
}

fn template(helm: &Path, chart: &Path, values: &[&str]) -> Command {
    let mut template = Command::new(helm);
    template.args(["template", "baton"]).arg(chart).args(["--namespace", "baton-system"]);
    template.args(["--kube-version", OLDEST]);
    for value in values {
        template.args(["--set", value]);
    }
    template
}

fn case(helm: &Path, chart: &Path, values: &[&str], there: &[&str]) -> Result<()> {
    let objects = Object::read(&command::output(&mut template(helm, chart, values))?)?;
    let has = |kind: &str| objects.iter().any(|object| object.kind == kind);
    for kind in ALWAYS {
        ensure!(has(kind), "there is no {kind}");
    }
    for kind in SOMETIMES {
        ensure!(has(kind) == there.contains(&kind), "{kind}: {}", has(kind));
    }
    ensure!(has("CustomResourceDefinition") != values.contains(&"crds.enabled=false"), "its own kinds");
    for object in &objects {
        object.check().with_context(|| format!("{} {}", object.kind, object.name))?;
    }
    keeps_out_of_meshes(&objects)?;
    selects_itself(&objects)
}

/// Who calls the operator has no proxy of a mesh, or goes past it: there must be none on this side either.
fn keeps_out_of_meshes(objects: &[Object]) -> Result<()> {
    for (kind, path) in [("Deployment", "/spec/template/metadata"), ("Pod", "/metadata")] {
        let object = objects.iter().find(|object| object.kind == kind).with_context(|| format!("no {kind}"))?;
        let meta = object.value.pointer(path).context("no metadata")?;
        let out = meta["labels"]["sidecar.istio.io/inject"] == "false"
            && meta["annotations"]["linkerd.io/inject"] == "disabled";
        ensure!(out, "a mesh may put its proxy into the pods of {kind} {}: {meta}", object.name);
    }
    Ok(())
}

fn rights(helm: &Path, chart: &Path) -> Result<()> {
    for (values, namespaces) in KEEPERS {
        let objects = Object::read(&command::output(&mut template(helm, chart, values))?)?;
        for object in &objects {
            object.check().with_context(|| format!("{} {}", object.kind, object.name))?;
        }
        right::of_keepers(&objects, namespaces).with_context(|| format!("what the operator may do with {values:?}"))?;
        right::of_check(&objects).context("what the pod of helm test may do")?;
    }
    Ok(())
}

/// What selects the operator's pods selects them, and not the pod of `helm test`.
fn selects_itself(objects: &[Object]) -> Result<()> {
    let find = |kind: &str| objects.iter().find(|object| object.kind == kind);
    let deployment = find("Deployment").context("no Deployment")?;
    let labels = &deployment.value["spec"]["template"]["metadata"]["labels"];
    let check = find("Pod").context("no pod for helm test")?;
    for (kind, path) in [
        ("Deployment", "/spec/selector/matchLabels"),
        ("Service", "/spec/selector"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
    ] {
        let Some(object) = find(kind) else { continue };
        let selector = object.value.pointer(path).and_then(Value::as_object).context("no selector")?;
        let selects = |labels: &Value| selector.iter().all(|(name, value)| labels.get(name) == Some(value));
        ensure!(selects(labels), "{kind} does not select the operator");
        ensure!(!selects(&check.value["metadata"]["labels"]), "{kind} selects the pod of helm test");
    }
    Ok(())
}

fn refuse(helm: &Path, chart: &Path) -> Result<()> {
    for value in REFUSED {
        let done = template(helm, chart, &[value]).output()?;
        if done.status.success() {
            bail!("{value} is taken");
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let name = value.split(['=', '.']).nth(1).unwrap_or_default();
        ensure!(said.contains("schema") && said.contains(name), "{value} is refused for another reason: {said}");
    }
    Ok(())
}
