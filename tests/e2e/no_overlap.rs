//! A workload that ends all its pods before it makes new ones is said to be unsafe beforehand, and the loss is reported.

use anyhow::{Context, Result};
use baton_tests::arena::{Arena, Workload};
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;
use serde_json::json;

use crate::failed_handoff::{impatient, reported};

pub(crate) const RECREATE: Scenario = Scenario {
    word: "recreate",
    promise: Promise::Told,
    sentence: "a_deployment_that_recreates_its_pods_is_unsafe_and_its_loss_is_reported",
    alone: false,
    run: recreate,
};
pub(crate) const STATEFUL_SET: Scenario = Scenario {
    word: "stateful-set",
    promise: Promise::Told,
    sentence: "a_stateful_set_of_one_is_unsafe_and_its_loss_is_reported",
    alone: false,
    run: stateful_set,
};

fn recreate(stage: &Stage) -> Result<()> {
    let strategy = Some(json!({"type": "Recreate"}));
    let crowd = stage.play(&Arena { strategy, ..impatient(2) })?;
    stage.wait_condition("arena", "HandoffSafe", "False", Some("NoOverlap"))?;
    let old = stage.rollout(2)?;
    drop(crowd);
    reported(stage, &old)
}

fn stateful_set(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena { workload: Workload::StatefulSet, ..impatient(1) })?;
    stage.wait_condition("arena", "HandoffSafe", "False", Some("NoOverlap"))?;
    let pod = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    stage.delete_pod(pod.name())?;
    stage.wait_replaced(std::slice::from_ref(&pod), 1)?;
    drop(crowd);
    reported(stage, &[pod])
}
