//! An agent that starts again in the same pod is a new member: agents may all be killed, one after the other, and
//! nothing acknowledged is lost; then their pods hand off like any others.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::kill_agent;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::Value;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "in-place",
    promise: Promise::HandedOff,
    sentence: "every_agent_killed_in_turn_and_restarted_in_its_pod_loses_nothing",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let pods = stage.pods.ready();
    for pod in &pods {
        kill_agent(pod.uid())?;
        wait::until(LIMIT, &format!("the agent of {} is back", pod.name()), || {
            let pod = stage.pods.last_seen(pod.uid()).context("the pod is gone")?;
            ensure!(pod.agent_restarts() == 1 && pod.ready(), "restarts: {}", pod.agent_restarts());
            let active = active_rows(stage, pod.uid())?;
            ensure!(active == 1, "{active} members of its pod are Active");
            Ok(())
        })?;
    }
    let old = stage.rollout(3)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}

fn active_rows(stage: &Stage, pod_uid: &str) -> Result<usize> {
    let membership = stage.cluster.api.get(&stage.path("Membership", "arena"))?;
    let rows: &[Value] = membership["spec"]["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(rows.iter().filter(|row| row["podUid"] == pod_uid && row["phase"] == "Active").count())
}
