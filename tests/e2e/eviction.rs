//! A PodDisruptionBudget holds an eviction back until the pod that was evicted before is replaced. Both hand off.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::{self, Arena};
use baton_tests::http::Reply;
use baton_tests::pod::Pod;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::json;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "eviction",
    promise: Promise::HandedOff,
    sentence: "pods_that_are_evicted_one_by_one_as_their_budget_says_lose_nothing",
    alone: false,
    run,
};

/// What the API server answers to an eviction that a budget forbids for now.
const TOO_MANY: u16 = 429;

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let selector = json!({"matchLabels": {"app": arena::NAME}});
    let budget = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": arena::NAME},
        "spec": {"maxUnavailable": 1, "selector": selector},
    });
    stage.cluster.api.apply(&stage.namespace, &budget)?;
    wait::until(LIMIT, "the budget knows its pods", || {
        let budget = stage.cluster.api.get(&stage.path("PodDisruptionBudget", arena::NAME))?;
        ensure!(budget["status"]["disruptionsAllowed"] == 1, "it says {}", budget["status"]);
        Ok(())
    })?;
    let pods = stage.pods.ready();
    let [first, second, _] = pods.as_slice() else { anyhow::bail!("{} pods are ready", pods.len()) };
    let evicted = evict(stage, first)?;
    ensure!(evicted.ok(), "{} was not evicted: {evicted}", first.name());
    let refused = evict(stage, second)?;
    ensure!(refused.status == TOO_MANY, "the budget lets two go at once: {refused}");
    wait::until(LIMIT, "the second pod is evicted", || {
        let evicted = evict(stage, second)?;
        ensure!(evicted.ok(), "{evicted}");
        Ok(())
    })?;
    let old = [first.clone(), second.clone()];
    stage.wait_replaced(&old, 3)?;
    stage.ensure_handed_off(&old).context("an evicted pod")?;
    stage.check(crowd)
}

/// As `kubectl drain` does it.
fn evict(stage: &Stage, pod: &Pod) -> Result<Reply> {
    let metadata = json!({"name": pod.name(), "namespace": stage.namespace});
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata});
    stage.cluster.api.create(&format!("{}/eviction", stage.path("Pod", pod.name())), &eviction)
}
