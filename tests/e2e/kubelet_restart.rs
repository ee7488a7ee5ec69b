//! A kubelet that is started again while a pod is held calls the hook once more, and nothing is lost.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use baton_tests::arena::Arena;
use baton_tests::cluster::Cluster;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "kubelet-restart",
    promise: Promise::HandedOff,
    sentence: "a_kubelet_restarted_while_a_pod_is_held_loses_nothing",
    alone: true,
    run,
};

/// Long enough for the hook to be called, and too short for a replacement to have the state.
const HELD: Duration = Duration::from_millis(500);
const AWAY: Duration = Duration::from_secs(5);

/// The kubelet comes back, whatever happens.
struct Away<'a> {
    cluster: &'a Cluster,
    part: String,
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        let _ = self.cluster.part("start", &self.part);
    }
}

/// One pod: it is held until its replacement has everything.
fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(1))?;
    let pod = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    stage.delete_pod(pod.name())?;
    sleep(HELD);
    let part = format!("kubelet:{}", pod.node());
    stage.cluster.part("stop", &part)?;
    let away = Away { cluster: &stage.cluster, part };
    sleep(AWAY);
    drop(away);
    stage.wait_replaced(std::slice::from_ref(&pod), 1)?;
    stage.ensure_handed_off(&[pod])?;
    stage.check(crowd)
}
