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
    let old = stage.pods.present();
    stage.scale(3)?;
    stage.wait_ready(3)?;
    let left = stage.pods.present();
    let gone: Vec<_> = old.into_iter().filter(|pod| left.iter().all(|left| left.uid() != pod.uid())).collect();
    ensure!(gone.len() == 3, "{} pods have left", gone.len());
    stage.ensure_handed_off(&gone)?;
    stage.check(crowd)
}
