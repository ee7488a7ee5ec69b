//! A pod that is deleted by force hands nothing off: every write acknowledged with `acks=1` survives all the same, and
//! nobody calls it a success.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "force-deletion",
    promise: Promise::Acknowledged,
    sentence: "deleting_a_pod_by_force_loses_no_acknowledged_write_and_is_no_success",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let victim = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    stage.cluster.api.delete(&format!("{}?gracePeriodSeconds=0", stage.path("Pod", victim.name())))?;
    stage.wait_replaced(std::slice::from_ref(&victim), 3)?;
    wait::until(LIMIT, "the member of the deleted pod is Gone, or not listed any more", || {
        let membership = stage.cluster.api.get(&stage.path("Membership", "arena"))?;
        let rows = membership["spec"]["members"].as_array().context("there are no members")?;
        let row = rows.iter().find(|row| row["podUid"] == victim.uid());
        ensure!(row.is_none_or(|row| row["phase"] == "Gone"), "it is {row:?}");
        Ok(())
    })?;
    let degraded = stage.wait_condition("arena", "Degraded", "True", None)?;
    ensure!(degraded["reason"] == "HandoffUnknown" || degraded["reason"] == "HandoffFailed", "{degraded}");
    let status = if degraded["reason"] == "HandoffUnknown" { "Unknown" } else { "False" };
    stage.wait_record(victim.name(), status)?;
    stage.check(crowd)
}
