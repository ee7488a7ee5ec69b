//! All pods deleted at once: each is held until a replacement has everything, and nothing is lost.

use anyhow::Result;
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "all-pods",
    promise: Promise::HandedOff,
    sentence: "deleting_all_pods_at_once_loses_nothing",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let old = stage.pods.present();
    stage.cluster.api.delete(&stage.path("Pod", ""))?;
    stage.wait_replaced(&old, 3)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}
