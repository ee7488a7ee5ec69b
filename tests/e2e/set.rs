//! Rollouts of a StatefulSet and of a DaemonSet lose nothing, and it is said when they are really over. Who is a member
//! of which revision is known from their ControllerRevisions.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::{Arena, Workload};
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const STATEFUL_SET: Scenario = Scenario {
    word: "stateful-set-rollout",
    promise: Promise::HandedOff,
    sentence: "a_rollout_of_a_stateful_set_loses_nothing_and_is_waited_for",
    alone: false,
    run: |stage| roll(stage, Workload::StatefulSet),
};
pub(crate) const DAEMON_SET: Scenario = Scenario {
    word: "daemon-set-rollout",
    promise: Promise::HandedOff,
    sentence: "a_rollout_of_a_daemon_set_loses_nothing_and_is_waited_for",
    alone: false,
    run: |stage| roll(stage, Workload::DaemonSet),
};

/// As many as the cluster has nodes.
const PODS: usize = 3;

fn roll(stage: &Stage, workload: Workload) -> Result<()> {
    let crowd = stage.play(&Arena { workload, ..Arena::of(3) })?;
    stage.wait_forgotten(PODS)?;
    of_revision(stage, workload, 1)?;
    let old = stage.pods.present();
    let name = format!("{}/arena", workload.kind().to_lowercase());
    let restart = stage.baton(&["rollout", "restart", &name, "--wait", "--timeout", "4m"])?;
    restart.with_code(0)?;
    // The suite's own watch may be a moment behind.
    stage.wait_replaced(&old, PODS)?;
    stage.ensure_handed_off(&old)?;
    stage.wait_forgotten(PODS)?;
    of_revision(stage, workload, 2)?;
    stage.wait_condition("arena", "Drained", "True", None)?;
    stage.check(crowd)
}

fn of_revision(stage: &Stage, workload: Workload, revision: u64) -> Result<()> {
    let membership = stage.cluster.api.get(&stage.path("Membership", "arena"))?;
    let rows = membership["spec"]["members"].as_array().context("there are no members")?;
    let controller = format!("{}/arena", workload.kind());
    let good = rows.iter().all(|row| row["controller"] == controller && row["revision"] == revision);
    ensure!(good, "not all are of revision {revision} of {controller}: {rows:?}");
    Ok(())
}
