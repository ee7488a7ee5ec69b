//! Every write that was acknowledged survives `kubectl drain`, the operator's own eviction included.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::Cluster;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const ONE_NODE: Scenario = Scenario {
    word: "node-drain",
    promise: Promise::HandedOff,
    sentence: "draining_a_node_loses_nothing",
    alone: true,
    run: one_node,
};
pub(crate) const TWO_OF_THREE: Scenario = Scenario {
    word: "drain-two",
    promise: Promise::HandedOff,
    sentence: "draining_a_node_that_holds_two_of_three_pods_loses_nothing",
    alone: true,
    run: two_of_three,
};

/// Nodes take pods again, whatever happens.
struct Cordoned<'a> {
    cluster: &'a Cluster,
    nodes: Vec<String>,
}

// === impl Cordoned ===

impl<'a> Cordoned<'a> {
    fn new(cluster: &'a Cluster, nodes: Vec<String>) -> Result<Self> {
        let cordoned = Self { cluster, nodes };
        cordoned.nodes.iter().try_for_each(|node| cluster.kubectl(&["cordon", node]).map(drop))?;
        Ok(cordoned)
    }
}

impl Drop for Cordoned<'_> {
    fn drop(&mut self) {
        for node in &self.nodes {
            let _ = self.cluster.kubectl(&["uncordon", node]);
        }
    }
}

fn one_node(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(4))?;
    let node = stage.pods.ready().first().context("no pod is ready")?.node().to_owned();
    drain(stage, node, 4)?;
    stage.check(crowd)
}

fn two_of_three(stage: &Stage) -> Result<()> {
    let nodes = stage.cluster.kubectl(&["get", "nodes", "--output=name"])?;
    let nodes: Vec<String> = nodes.lines().map(|name| name.trim_start_matches("node/").to_owned()).collect();
    let (node, others) = nodes.split_first().context("there are no nodes")?;
    let apart = Cordoned::new(&stage.cluster, others.to_vec())?;
    let crowd = stage.play(&Arena::of(2))?;
    drop(apart);
    let apart = Cordoned::new(&stage.cluster, vec![node.clone()])?;
    stage.scale(3)?;
    stage.wait_ready(3)?;
    drop(apart);
    let here = stage.pods.ready().iter().filter(|pod| pod.node() == node).count();
    ensure!(here == 2, "{here} of the three pods are on {node}");
    drain(stage, node.clone(), 3)?;
    stage.check(crowd)
}

fn drain(stage: &Stage, node: String, count: usize) -> Result<()> {
    let evicted: Vec<_> = stage.pods.ready().into_iter().filter(|pod| pod.node() == node).collect();
    let drained = Cordoned { cluster: &stage.cluster, nodes: vec![node.clone()] };
    let words = ["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=150s"];
    stage.cluster.kubectl(&words)?;
    stage.wait_replaced(&evicted, count)?;
    ensure!(stage.pods.present().iter().all(|pod| pod.node() != node), "a pod is on the drained node");
    stage.ensure_handed_off(&evicted)?;
    drop(drained);
    stage.cluster.wait_for_operator()
}
