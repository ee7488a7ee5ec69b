//! An app that takes no notice of SIGTERM is killed when its grace period ends. What it wrote until then is kept.

use anyhow::{Context, Result};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "stubborn-app",
    promise: Promise::HandedOff,
    sentence: "a_pod_whose_app_runs_until_its_grace_ends_loses_nothing",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena { stubborn: true, ..Arena::of(2) })?;
    let pod = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    stage.delete_pod(pod.name())?;
    stage.wait_replaced(std::slice::from_ref(&pod), 2)?;
    stage.ensure_handed_off(&[pod])?;
    stage.check(crowd)
}
