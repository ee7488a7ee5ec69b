//! The agent's image is changed in pods that run: each agent hands off and starts again in its pod, one after the other.
//! The apps run on, and nothing is lost.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::pod::Pod;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "agent-upgrade",
    promise: Promise::HandedOff,
    sentence: "agents_that_are_upgraded_in_their_pods_lose_nothing_and_the_apps_run_on",
    alone: false,
    run,
};

const PODS: usize = 3;

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let pods = stage.pods.ready();
    for pod in &pods {
        let before = crowd.acknowledged();
        upgrade(stage, pod)?;
        wait::until(LIMIT, &format!("the agent of {} is upgraded", pod.name()), || {
            upgraded(&stage.pods.last_seen(pod.uid()).context("the pod is gone")?)
        })?;
        stage.wait_record(pod.name(), "True")?;
        ensure!(crowd.acknowledged() > before, "nobody could play");
    }
    stage.wait_forgotten(PODS)?;
    stage.wait_condition("arena", "Degraded", "False", None)?;
    let old = stage.rollout(PODS)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}

/// The same program by another name, which Kubernetes takes for another image.
fn upgrade(stage: &Stage, pod: &Pod) -> Result<()> {
    let id = pod.agent().and_then(|agent| agent["imageID"].as_str()).context("the agent has no image")?;
    let (object, image) = (format!("pod/{}", pod.name()), format!("baton-agent={id}"));
    stage.kubectl(&["set", "image", &object, &image]).map(drop)
}

fn upgraded(pod: &Pod) -> Result<()> {
    ensure!(pod.agent_restarts() == 1 && pod.ready(), "restarts: {}", pod.agent_restarts());
    let app = &pod.0["status"]["containerStatuses"][0]["restartCount"];
    ensure!(app == 0, "the app was started again {app} times");
    Ok(())
}
