//! Two groups that select the same pods are told so, the older one keeps them, and nothing is lost.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;
use serde_json::json;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "misfit",
    promise: Promise::Guarded,
    sentence: "of_two_groups_that_select_the_same_pods_the_older_keeps_them",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(2))?;
    let selector = json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]});
    let metadata = json!({"name": "late"});
    let late = json!({
        "apiVersion": "baton.dev/v1alpha1", "kind": "HandoffGroup", "metadata": metadata, "spec": {"selector": selector},
    });
    stage.cluster.api.apply(&stage.namespace, &late)?;
    stage.wait_condition("late", "Ready", "False", Some("GroupConflict"))?;
    stage.wait_event("HandoffGroup", "late", "GroupConflict")?;

    let old = stage.rollout(2)?;
    stage.ensure_handed_off(&old)?;
    for pod in stage.pods.ready() {
        let group = pod.label("baton.dev/group").context("a pod has no group")?;
        ensure!(group == "arena", "{} went to group {group}", pod.name());
    }
    stage.wait_condition("arena", "Ready", "True", None)?;
    stage.check(crowd)
}
