//! Every write that was acknowledged survives `kubectl delete pod`.

use anyhow::{Context, Result};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "deletion",
    promise: Promise::HandedOff,
    sentence: "deleting_one_pod_loses_nothing",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let one = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    stage.delete_pod(one.name())?;
    stage.wait_replaced(std::slice::from_ref(&one), 3)?;
    stage.ensure_handed_off(&[one])?;
    stage.check(crowd)
}
