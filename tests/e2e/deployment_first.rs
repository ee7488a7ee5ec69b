//! A Deployment that is applied before its HandoffGroup waits for it: its pods never run without an agent.

use anyhow::{Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "deployment-first",
    promise: Promise::HandedOff,
    sentence: "a_deployment_before_its_group_waits_and_then_runs_with_agents",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let objects = Arena::of(3).objects(stage.cluster.manifests());
    let (groups, others): (Vec<_>, Vec<_>) = objects.into_iter().partition(|one| one["kind"] == "HandoffGroup");
    for object in &others {
        stage.cluster.api.apply(&stage.namespace, object)?;
    }
    wait::until(LIMIT, "the ReplicaSet says why it makes no pods", || {
        let events = stage.events("ReplicaSet", "arena")?;
        let said = events.iter().filter_map(|event| event["message"].as_str());
        ensure!(said.into_iter().any(|message| message.contains("HandoffGroup")), "its events: {events:?}");
        Ok(())
    })?;
    ensure!(stage.pods.present().is_empty(), "a pod was made without an agent");
    for object in &groups {
        stage.cluster.api.apply(&stage.namespace, object)?;
    }
    stage.wait_ready(3)?;
    ensure!(stage.pods.present().iter().all(|pod| pod.agent().is_some()), "a pod has no agent");
    let crowd = stage.crowd()?;
    let old = stage.rollout(3)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}
