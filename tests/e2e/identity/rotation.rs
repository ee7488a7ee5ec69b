//! The CA changes under players who notice nothing: the next one is trusted, an hour later it signs, and two days after
//! that the one before is trusted no more. Hours pass by a change of the Secret.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::{OPERATOR, SYSTEM, kill_agent};
use baton_tests::pod::AGENT;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::{Value, json};
use tonic::Code;

use super::thief::Thief;
use super::{DIRECTORY, roots};

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "ca-rotation",
    promise: Promise::HandedOff,
    sentence: "the_ca_is_replaced_by_another_and_players_notice_nothing",
    alone: true,
    run,
};

const PODS: usize = 3;
/// What an agent logs of CAs that it goes by from then on.
const TAKES: &str = "Took the roots";
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let first = roots(stage)?;
    let next = make_next(stage, &first)?;
    taken(stage)?;

    signs_since(stage, MINUTE)?;
    for operator in stage.cluster.operator_pods()? {
        let address = operator["status"]["podIP"].as_str().context("an operator without an address")?;
        signs(&format!("{address}:{DIRECTORY}"), &next)?;
    }
    // Members with certificates of either CA meet.
    let old = stage.rollout(PODS)?;
    stage.ensure_handed_off(&old)?;

    signs_since(stage, 2 * DAY + MINUTE)?;
    wait::until(LIMIT, "the first CA is trusted no more", || {
        ensure!(roots(stage)? == next, "it is");
        Ok(())
    })?;
    taken(stage)?;
    let before = crowd.acknowledged();
    let victim = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    kill_agent(victim.uid())?;
    wait::until(LIMIT, "the agent that was killed is back", || {
        let pod = stage.pods.last_seen(victim.uid()).context("the pod is gone")?;
        ensure!(pod.agent_restarts() == 1 && pod.ready(), "restarts: {}", pod.agent_restarts());
        Ok(())
    })?;
    stage.wait_forgotten(PODS)?;
    ensure!(crowd.acknowledged() > before, "nobody could play");
    let old = stage.rollout(PODS)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}

/// Has the next CA made, and waits until the namespace is told to trust it beside the first.
fn make_next(stage: &Stage, first: &str) -> Result<String> {
    let annotation = json!({"metadata": {"annotations": {"baton.dev/rotate": "now"}}});
    stage.cluster.api.patch(&secret(), &annotation)?;
    let next = wait::until(LIMIT, "the namespace is told of the next CA", || {
        let both = roots(stage)?;
        let next = both.strip_prefix(first).filter(|next| !next.is_empty());
        next.map(str::to_owned).with_context(|| format!("these are trusted: {both}"))
    })?;
    let found = stage.cluster.api.get(&secret())?;
    ensure!(found["metadata"]["annotations"]["baton.dev/rotate"].is_null(), "it would be made again and again");
    Ok(next)
}

/// Has the kubelets bring the CAs into the pods at once, as they do for pods that change, and waits until every agent
/// goes by others than those that it began with.
fn taken(stage: &Stage) -> Result<()> {
    stage.kubectl(&["annotate", "pods", "--all", "hours=passed"])?;
    for pod in stage.pods.ready() {
        wait::until(LIMIT, &format!("the agent of {} goes by other CAs", pod.name()), || {
            let log = stage.kubectl(&["logs", pod.name(), "--container", AGENT])?;
            ensure!(log.matches(TAKES).count() == 2, "it has taken none");
            Ok(())
        })?;
    }
    Ok(())
}

/// Has the last CA sign since so long ago.
fn signs_since(stage: &Stage, ago: Duration) -> Result<()> {
    let (name, template) = (name(), r#"--output=go-template={{index .data "keyring.json" | base64decode}}"#);
    let keyring = stage.cluster.kubectl(&["-n", SYSTEM, "get", "secret", &name, template])?;
    let mut keyring: Value = serde_json::from_str(&keyring)?;
    let last = keyring["seats"].as_array_mut().and_then(|seats| seats.last_mut()).context("there is no CA")?;
    last["signs_from"] = json!((SystemTime::now() - ago).duration_since(UNIX_EPOCH)?.as_secs());
    stage.cluster.api.patch(&secret(), &json!({"stringData": {"keyring.json": keyring.to_string()}}))
}

/// Waits until an operator has a certificate of this CA alone, by which it then signs those of agents.
fn signs(operator: &str, ca: &str) -> Result<()> {
    let thief = Thief::new(operator, ca)?;
    wait::until(LIMIT, &format!("{operator} shows a certificate of the next CA"), || {
        let answer = thief.ask("no token", "arena")?;
        ensure!(answer.as_ref().err() == Some(&Code::Unauthenticated), "{answer:?}");
        Ok(())
    })
}

fn name() -> String {
    format!("{OPERATOR}-identity")
}

fn secret() -> String {
    format!("/api/v1/namespaces/{SYSTEM}/secrets/{}", name())
}
