//! A handoff that finds no survivor is reported as failed, never as a success: exit code, message, events, condition.

use anyhow::{Context, Result, bail, ensure};
use baton_tests::arena::Arena;
use baton_tests::pod::{AgentEnd, Pod};
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::{Value, json};

pub(crate) const SCALE_TO_ZERO: Scenario = Scenario {
    word: "scale-to-zero",
    promise: Promise::Told,
    sentence: "scaling_to_zero_is_reported_as_failed",
    alone: false,
    run: scale_to_zero,
};
pub(crate) const BARE_POD: Scenario = Scenario {
    word: "bare-pod",
    promise: Promise::Told,
    sentence: "deleting_a_bare_pod_is_reported_as_failed",
    alone: false,
    run: bare_pod,
};

fn scale_to_zero(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&impatient(2))?;
    let pods = stage.pods.ready();
    stage.scale(0)?;
    stage.wait_condition("arena", "HandoffSafe", "False", Some("ScaledToZero"))?;
    wait_gone(stage)?;
    drop(crowd);
    reported(stage, &pods)
}

fn bare_pod(stage: &Stage) -> Result<()> {
    let arena = impatient(1);
    let objects = arena.objects(stage.cluster.manifests());
    let group = objects.iter().find(|object| object["kind"] == "HandoffGroup").context("no group")?;
    stage.cluster.api.apply(&stage.namespace, group)?;
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").context("no Deployment")?;
    let template = &deployment["spec"]["template"];
    let metadata = json!({"name": "bare", "labels": template["metadata"]["labels"]});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]});
    let made = stage.cluster.api.create(&stage.path("Pod", ""), &pod)?;
    ensure!(made.ok(), "{made}");
    stage.wait_ready(1)?;
    let crowd = stage.crowd()?;
    let pods = stage.pods.ready();
    stage.delete_pod("bare")?;
    wait_gone(stage)?;
    drop(crowd);
    reported(stage, &pods)
}

/// Nobody comes: there is no need to wait for long.
pub(crate) fn impatient(replicas: u32) -> Arena {
    let group: Value = json!({"handoff": {"timeout": "4s"}});
    Arena { group, ..Arena::of(replicas) }
}

fn wait_gone(stage: &Stage) -> Result<()> {
    wait::until(LIMIT, "no pod is left", || {
        let left = stage.pods.present().len();
        ensure!(left == 0, "{left} are left");
        Ok(())
    })
}

/// Every pod that held the state says so in each place where one may look. One that went before another was told to go
/// may have handed off to it, and that one says that it failed.
pub(crate) fn reported(stage: &Stage, pods: &[Pod]) -> Result<()> {
    let ends = stage.ends(pods)?;
    ensure!(!ends.iter().all(|(_, end)| end.handed_off()), "nobody says that a handoff has failed: {ends:?}");
    let failed: Vec<(String, AgentEnd)> = ends.into_iter().filter(|(_, end)| !end.handed_off()).collect();
    for (name, end) in &failed {
        let farewell = end.farewell.as_ref().with_context(|| format!("{name} left no message: {end:?}"))?;
        let told = end.code == 1 && farewell.outcome == "failed" && farewell.keys_unacknowledged > 0;
        ensure!(told, "{name} does not say that its handoff has failed: {end:?}");
        stage.wait_event("Pod", name, "HandoffFailed")?;
        stage.wait_record(name, "False")?;
    }
    // The hook of one may have returned on the word of another that began to leave after it: the last one's has not.
    wait::until(LIMIT, "the kubelet says that a hook has failed", || {
        for (name, _) in &failed {
            if stage.events("Pod", name)?.iter().any(|event| event["reason"] == "FailedPreStopHook") {
                return Ok(());
            }
        }
        bail!("it says so of none of {failed:?}")
    })?;
    stage.wait_event("HandoffGroup", "arena", "HandoffFailed")?;
    stage.wait_condition("arena", "Degraded", "True", Some("HandoffFailed"))?;
    let outcome = stage.group()?["status"]["lastUnsuccessfulHandoff"]["outcome"].clone();
    ensure!(outcome == "Failed", "the group says that its last handoff without success was {outcome}");
    Ok(())
}
