//! Every write that was acknowledged survives `kubectl rollout restart`, five times over, while players play.

use anyhow::{Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "rollout",
    promise: Promise::HandedOff,
    sentence: "five_rollouts_under_load_lose_nothing",
    alone: false,
    run,
};

const PODS: usize = 3;

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    stage.wait_condition("arena", "Ready", "True", None)?;
    for _ in 0..5 {
        let before = crowd.acknowledged();
        let old = stage.pods.present();
        stage.restart()?;
        stage.wait_drained(&old)?;
        stage.wait_replaced(&old, PODS)?;
        stage.ensure_handed_off(&old)?;
        ensure!(crowd.acknowledged() > before, "nobody could play during the rollout");
        for pod in &old {
            stage.wait_event("Pod", pod.name(), "HandoffAcknowledged")?;
            stage.wait_record(pod.name(), "True")?;
        }
    }
    stage.wait_forgotten(PODS)?;
    stage.wait_condition("arena", "Drained", "True", None)?;
    stage.wait_condition("arena", "InSync", "True", None)?;
    stage.wait_condition("arena", "Degraded", "False", None)?;
    stage.check(crowd)
}
