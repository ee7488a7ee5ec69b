//! Strategies that end pods before new ones are there lose nothing either, as long as one pod stays.

use anyhow::Result;
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;
use serde_json::json;

pub(crate) const ONE_LESS: Scenario = Scenario {
    word: "one-less",
    promise: Promise::HandedOff,
    sentence: "a_rollout_that_ends_each_pod_before_the_next_is_made_loses_nothing",
    alone: false,
    run: |stage| roll(stage, 1),
};
pub(crate) const TWO_LESS: Scenario = Scenario {
    word: "two-less",
    promise: Promise::HandedOff,
    sentence: "a_rollout_that_ends_two_of_three_pods_at_once_loses_nothing",
    alone: false,
    run: |stage| roll(stage, 2),
};

fn roll(stage: &Stage, unavailable: u32) -> Result<()> {
    let rolling = json!({"maxSurge": 0, "maxUnavailable": unavailable});
    let strategy = Some(json!({"type": "RollingUpdate", "rollingUpdate": rolling}));
    let crowd = stage.play(&Arena { strategy, ..Arena::of(3) })?;
    stage.wait_condition("arena", "HandoffSafe", "True", None)?;
    let old = stage.rollout(3)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}
