//! A group of one pod loses nothing in a rollout or a deletion: the replacement takes the state from the leaving pod.

use anyhow::{Context, Result};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "lone-pod",
    promise: Promise::HandedOff,
    sentence: "a_group_of_one_pod_rolled_and_deleted_loses_nothing",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(1))?;
    let old = stage.rollout(1)?;
    stage.ensure_handed_off(&old)?;
    let one = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    stage.delete_pod(one.name())?;
    stage.wait_replaced(std::slice::from_ref(&one), 1)?;
    stage.ensure_handed_off(&[one])?;
    stage.check(crowd)
}
