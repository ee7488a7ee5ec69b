//! Every write that was acknowledged survives `kubectl drain`, the operator's own eviction included.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::Cluster;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "node-drain",
    promise: Promise::HandedOff,
    sentence: "draining_a_node_loses_nothing",
    alone: true,
    run,
};

/// A node takes pods again, whatever happens.
struct Drained<'a> {
    cluster: &'a Cluster,
    node: String,
}

impl Drop for Drained<'_> {
    fn drop(&mut self) {
        let _ = self.cluster.kubectl(&["uncordon", &self.node]);
    }
}

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(4))?;
    let pods = stage.pods.ready();
    let node = pods.first().context("no pod is ready")?.node().to_owned();
    let evicted: Vec<_> = pods.into_iter().filter(|pod| pod.node() == node).collect();
    let drained = Drained { cluster: &stage.cluster, node };
    let words = ["drain", &drained.node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=150s"];
    stage.cluster.kubectl(&words)?;
    stage.wait_replaced(&evicted, 4)?;
    ensure!(stage.pods.present().iter().all(|pod| pod.node() != drained.node), "a pod is on the drained node");
    stage.ensure_handed_off(&evicted)?;
    stage.cluster.wait_for_operator()?;
    stage.check(crowd)
}
