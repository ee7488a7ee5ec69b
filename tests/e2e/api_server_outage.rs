//! While the API server is away, agents go on and nobody crashes; afterwards the operator goes on as before.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::Cluster;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::json;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "api-outage",
    promise: Promise::GoesOn,
    sentence: "an_outage_of_the_api_server_loses_nothing",
    alone: true,
    run,
};

/// Longer than a watch or a lease takes to notice.
const OUTAGE: Duration = Duration::from_secs(20);

/// A part of the control plane comes back, whatever happens.
pub(crate) struct Outage<'a> {
    cluster: &'a Cluster,
    part: &'static str,
}

// === impl Outage ===

impl<'a> Outage<'a> {
    /// Stops the part.
    pub(crate) fn of(cluster: &'a Cluster, part: &'static str) -> Result<Self> {
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

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let restarts = stage.cluster.operator_restarts()?;
    let outage = Outage::of(&stage.cluster, "apiserver")?;
    let before = crowd.acknowledged();
    sleep(OUTAGE);
    wait::until(LIMIT, "players go on without an API server", || {
        let during = crowd.acknowledged() - before;
        ensure!(during > 100, "{during} writes were acknowledged");
        Ok(())
    })?;
    drop(outage);
    stage.cluster.wait_for_operator()?;
    let after = stage.cluster.operator_restarts()?;
    ensure!(after == restarts, "the operator was restarted {} times", after.saturating_sub(restarts));

    // The operator takes up its work on its own: a group of which it has never heard gets its status.
    let group = json!({
        "apiVersion": "baton.dev/v1alpha1", "kind": "HandoffGroup", "metadata": {"name": "late"},
        "spec": {"selector": {"matchLabels": {"app": "late"}}},
    });
    stage.cluster.api.apply(&stage.namespace, &group)?;
    stage.wait_condition("late", "Ready", "False", Some("NoPodsSelected"))?;

    let old = stage.rollout(3)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}
