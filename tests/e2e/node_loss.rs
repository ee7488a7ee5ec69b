//! A node is lost with one of two pods. The other stays ready; its writes find nobody to acknowledge them until a third
//! pod is there. Everything that was acknowledged is kept. With the only pod all is lost: that is said, and its
//! replacement does not wait for it.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::{AGENT, ARENA, Cluster, kill};
use baton_tests::pod::Pod;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "node-loss",
    promise: Promise::Acknowledged,
    sentence: "a_lost_node_takes_no_acknowledged_write_with_it",
    alone: true,
    run,
};

pub(crate) const ONLY_POD: Scenario = Scenario {
    word: "node-loss-alone",
    promise: Promise::Told,
    sentence: "a_lost_node_with_the_only_pod_of_a_group_is_reported_and_the_next_pod_starts_empty",
    alone: true,
    run: only_pod,
};

/// Longer than agents take to find a silent peer.
const ALONE: Duration = Duration::from_secs(12);

/// The parts of a node come back, whatever happens.
pub(crate) struct Lost<'a> {
    cluster: &'a Cluster,
    parts: [String; 2],
}

// === impl Lost ===

impl<'a> Lost<'a> {
    /// Stops them.
    pub(crate) fn new(cluster: &'a Cluster, node: &str) -> Result<Self> {
        let parts = ["kubelet", "containerd"].map(|part| format!("{part}:{node}"));
        let lost = Self { cluster, parts };
        lost.parts.iter().try_for_each(|part| cluster.part("stop", part))?;
        Ok(lost)
    }
}

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        for part in self.parts.iter().rev() {
            if let Err(error) = self.cluster.part("start", part) {
                eprintln!("{part} does not come back: {error:#}");
            }
        }
    }
}

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(2))?;
    stage.wait_condition("arena", "InSync", "True", None)?;
    let pods = stage.pods.ready();
    let [victim, other] = pods.as_slice() else { anyhow::bail!("{} pods are ready", pods.len()) };
    ensure!(victim.node() != other.node(), "both pods are on {}", other.node());
    let lost = Lost::new(&stage.cluster, victim.node())?;
    kill(victim.uid(), &AGENT)?;
    kill(victim.uid(), &ARENA)?;
    sleep(ALONE);
    let left = stage.pods.last_seen(other.uid()).context("the other pod is gone")?;
    ensure!(left.ready() && left.agent_restarts() == 0, "the other pod is not ready");

    replace(stage, victim, 2)?;
    let before = crowd.acknowledged();
    wait::until(LIMIT, "players go on", || {
        ensure!(crowd.acknowledged() > before, "nothing is acknowledged");
        Ok(())
    })?;
    drop(lost);
    stage.check(crowd)
}

fn only_pod(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(1))?;
    stage.wait_condition("arena", "HandoffSafe", "False", Some("TooFewMembers"))?;
    let victim = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    let lost = Lost::new(&stage.cluster, victim.node())?;
    kill(victim.uid(), &AGENT)?;
    kill(victim.uid(), &ARENA)?;
    drop(crowd);
    replace(stage, &victim, 1)?;
    stage.wait_record(victim.name(), "Unknown")?;
    stage.wait_condition("arena", "Degraded", "True", Some("HandoffUnknown"))?;
    stage.wait_condition("arena", "Ready", "True", None)?;
    let crowd = stage.crowd()?;
    sleep(ALONE);
    drop(lost);
    stage.check(crowd)
}

/// What somebody does who knows that the node is lost.
fn replace(stage: &Stage, victim: &Pod, count: usize) -> Result<()> {
    stage.cluster.kubectl(&["cordon", victim.node()])?;
    let delete = ["delete", "pod", victim.name(), "--force", "--grace-period=0"];
    let deleted = stage.kubectl(&delete);
    let replaced = stage.wait_replaced(std::slice::from_ref(victim), count);
    stage.cluster.kubectl(&["uncordon", victim.node()])?;
    deleted?;
    replaced
}
