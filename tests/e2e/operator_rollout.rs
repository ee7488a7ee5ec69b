//! Operators are replaced without a gap: no pod is refused while they are, and a rollout goes on meanwhile.

use anyhow::{Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::{OPERATOR, SYSTEM};
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "operator-rollout",
    promise: Promise::GoesOn,
    sentence: "a_rollout_during_a_rollout_of_the_operators_is_refused_no_pod_and_loses_nothing",
    alone: true,
    run,
};

const PODS: usize = 3;

fn run(stage: &Stage) -> Result<()> {
    let cluster = &stage.cluster;
    let crowd = stage.play(&Arena::of(3))?;
    let before = cluster.holder()?.0;
    let operator = format!("deployment/{OPERATOR}");
    cluster.kubectl(&["-n", SYSTEM, "rollout", "restart", &operator])?;
    for _ in 0..2 {
        let old = stage.rollout(PODS)?;
        stage.ensure_handed_off(&old)?;
        for pod in &old {
            stage.wait_record(pod.name(), "True")?;
        }
    }
    cluster.kubectl(&["-n", SYSTEM, "rollout", "status", &operator, "--timeout=120s"])?;
    cluster.wait_for_operator()?;
    ensure!(cluster.holder()?.0 != before, "the lease is still that of an operator that was replaced");
    let refused = stage.events("ReplicaSet", "")?;
    let refused: Vec<_> = refused.iter().filter(|event| event["reason"] == "FailedCreate").collect();
    ensure!(refused.is_empty(), "pods were refused: {refused:?}");
    stage.wait_condition("arena", "Drained", "True", None)?;
    stage.check(crowd)
}
