//! Every write that was acknowledged survives a scale-down to one pod, and new pods have it.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "scaling",
    promise: Promise::HandedOff,
    sentence: "scaling_from_three_to_one_to_four_loses_nothing",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let gone = stage.scale_down(1)?;
    stage.ensure_handed_off(&gone)?;
    sleep(Duration::from_secs(2));
    stage.scale(4)?;
    stage.wait_ready(4)?;
    stage.check(crowd)
}
