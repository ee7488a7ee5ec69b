//! The webhook gets a certificate of another CA while pods are made: each of them is admitted, with an agent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use baton_tests::arena::{self, Arena};
use baton_tests::cluster::SYSTEM;
use baton_tests::pod::AGENT;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::{Value, json};

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "webhook-rotation",
    promise: Promise::Guarded,
    sentence: "no_pod_is_refused_while_the_webhook_gets_a_certificate_of_another_ca",
    alone: false,
    run,
};

const SECRET: &str = "baton-operator-webhook";
/// When the CA is made to end.
const LONG_AGO: &str = "1970-01-01T00:00:00Z";
/// What an operator logs of the certificate that it serves with from then on.
const SERVES: &str = "The webhook serves with a certificate";
const PAUSE: Duration = Duration::from_millis(50);

fn run(stage: &Stage) -> Result<()> {
    stage.apply(&Arena::of(1))?;
    stage.wait_ready(1)?;
    let pod = unmade(stage)?;
    admitted(stage, &pod)?;
    let (before, over) = (end_of_ca(stage)?, AtomicBool::new(false));
    let (admissions, renewed) = std::thread::scope(|scope| {
        let admissions = scope.spawn(|| admit_until(stage, &pod, &over));
        let renewed = renew(stage, &before);
        over.store(true, Ordering::Relaxed);
        (admissions.join(), renewed)
    });
    renewed?;
    let admissions = admissions.map_err(|_| anyhow!("the thread that makes pods has panicked"))??;
    ensure!(admissions > 0, "no pod was made meanwhile");
    admitted(stage, &pod)
}

/// Has the CA end, and waits until every operator serves with a certificate of the next one.
fn renew(stage: &Stage, before: &str) -> Result<()> {
    let path = format!("/api/v1/namespaces/{SYSTEM}/secrets/{SECRET}");
    stage.cluster.api.patch(&path, &json!({"stringData": {"ca.ends": LONG_AGO}}))?;
    wait::until(LIMIT, "every operator serves with a certificate of another CA", || {
        let end = end_of_ca(stage)?;
        ensure!(end != before && end != LONG_AGO, "the CA ends on {end}");
        for operator in stage.cluster.operator_pods()? {
            let name = operator["metadata"]["name"].as_str().context("a pod without a name")?;
            let log = stage.cluster.kubectl(&["-n", SYSTEM, "logs", name])?;
            let last = log.lines().rfind(|line| line.contains(SERVES)).context("it serves with none")?;
            ensure!(last.contains(&end), "{name} says {last}");
        }
        Ok(())
    })
}

fn end_of_ca(stage: &Stage) -> Result<String> {
    let template = r#"--output=go-template={{index .data "ca.ends" | base64decode}}"#;
    stage.cluster.kubectl(&["-n", SYSTEM, "get", "secret", SECRET, template])
}

/// A pod as the Deployment would make one.
fn unmade(stage: &Stage) -> Result<Value> {
    let deployment = stage.cluster.api.get(&stage.path("Deployment", arena::NAME))?;
    let mut pod = deployment["spec"]["template"].clone();
    (pod["apiVersion"], pod["kind"]) = (json!("v1"), json!("Pod"));
    pod["metadata"]["generateName"] = json!("arena-");
    Ok(pod)
}

/// How many pods were admitted until it was over.
fn admit_until(stage: &Stage, pod: &Value, over: &AtomicBool) -> Result<u64> {
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        admitted(stage, pod).with_context(|| format!("after {count} that were admitted"))?;
        count += 1;
        std::thread::sleep(PAUSE);
    }
    Ok(count)
}

/// The pod would be made, and has an agent.
fn admitted(stage: &Stage, pod: &Value) -> Result<()> {
    let reply = stage.cluster.api.create(&format!("{}?dryRun=All", stage.path("Pod", "")), pod)?;
    ensure!(reply.ok(), "a pod is refused: {reply}");
    let made = reply.json()?;
    let containers = made["spec"]["initContainers"].as_array().map(Vec::as_slice).unwrap_or_default();
    ensure!(containers.iter().any(|one| one["name"] == AGENT), "a pod has no agent: {made}");
    Ok(())
}
