//! The API server, or the store behind it, is away in the middle of a rollout: pods that leave hand off as ever, players
//! play on, and the rollout goes on when it is back. So does the operator, which nothing has killed.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::Cluster;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::json;

pub(crate) const API_SERVER: Scenario = Scenario {
    word: "api-outage-rollout",
    promise: Promise::GoesOn,
    sentence: "a_rollout_in_which_the_api_server_is_away_for_a_while_loses_nothing",
    alone: true,
    run: |stage| run(stage, "apiserver"),
};
pub(crate) const ETCD: Scenario = Scenario {
    word: "etcd-outage-rollout",
    promise: Promise::GoesOn,
    sentence: "a_rollout_in_which_etcd_is_away_for_a_while_loses_nothing",
    alone: true,
    run: |stage| run(stage, "etcd"),
};

const PODS: usize = 3;
/// Longer than the holder of the lease may write without renewing it.
const OUTAGE: Duration = Duration::from_secs(20);

/// A part of the control plane comes back, whatever happens.
struct Outage<'a> {
    cluster: &'a Cluster,
    part: &'static str,
}

// === impl Outage ===

impl<'a> Outage<'a> {
    /// Stops the part.
    fn of(cluster: &'a Cluster, part: &'static str) -> Result<Self> {
        let outage = Self { cluster, part };
        cluster.part("stop", part)?;
        Ok(outage)
    }
}

impl Drop for Outage<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.cluster.part("start", self.part) {
            eprintln!("{} does not come back: {error:#}", self.part);
        }
    }
}

fn run(stage: &Stage, part: &'static str) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    stage.wait_condition("arena", "Ready", "True", None)?;
    let restarts = stage.cluster.operator_restarts()?;
    let old = stage.pods.present();
    stage.restart()?;
    wait::until(LIMIT, "the first old pod leaves", || {
        ensure!(stage.pods.present().iter().any(|pod| pod.leaving()), "none does");
        Ok(())
    })?;
    let outage = Outage::of(&stage.cluster, part)?;
    let before = crowd.acknowledged();
    sleep(OUTAGE);
    let during = crowd.acknowledged() - before;
    drop(outage);
    ensure!(during > 100, "{during} writes were acknowledged while {part} was away");
    ensure!(
        old.iter().any(|pod| stage.pods.last_seen(pod.uid()).is_some_and(|pod| !pod.leaving())),
        "the rollout was over before"
    );

    stage.cluster.wait_for_operator()?;
    let after = stage.cluster.operator_restarts()?;
    ensure!(after == restarts, "the operator was restarted {} times", after.saturating_sub(restarts));
    stage.wait_replaced(&old, PODS)?;
    // The end of a pod that went meanwhile was perhaps not seen; what its agent said of it was heard by the others.
    for pod in &old {
        stage.wait_record(pod.name(), "True")?;
    }
    stage.wait_forgotten(PODS)?;
    stage.wait_condition("arena", "Drained", "True", None)?;

    // A group of which the operator has never heard gets its status, and the next rollout is as good.
    let group = json!({
        "apiVersion": "baton.dev/v1alpha1", "kind": "HandoffGroup", "metadata": {"name": "late"},
        "spec": {"selector": {"matchLabels": {"app": "late"}}},
    });
    stage.cluster.api.apply(&stage.namespace, &group)?;
    stage.wait_condition("late", "Ready", "False", Some("NoPodsSelected"))?;
    let old = stage.rollout(PODS)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}
