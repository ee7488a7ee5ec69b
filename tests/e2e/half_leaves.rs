//! Half of a group leaves at once: leavers do not count each other, and everything is with those that stay.

use anyhow::{Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "half-leaves",
    promise: Promise::HandedOff,
    sentence: "scaling_six_pods_down_to_three_loses_nothing",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(6))?;
    let gone = stage.scale_down(3)?;
    ensure!(gone.len() == 3, "{} pods have left", gone.len());
    stage.ensure_handed_off(&gone)?;
    stage.check(crowd)
}
