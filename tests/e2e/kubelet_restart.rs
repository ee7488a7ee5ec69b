//! A kubelet that is started again while a pod is held calls the hook once more, and nothing is lost.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use baton_tests::arena::{self, Arena};
use baton_tests::cluster::{AGENT, Cluster, HOOK, process, processes};
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait::until;
use serde_json::json;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "kubelet-restart",
    promise: Promise::HandedOff,
    sentence: "a_kubelet_restarted_while_a_pod_is_held_loses_nothing",
    alone: true,
    run,
};

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

/// One pod, which is to have more survivors than there are: it is held until fewer are asked for.
fn run(stage: &Stage) -> Result<()> {
    let group = json!({"handoff": {"acks": 2, "timeout": "150s"}});
    let crowd = stage.play(&Arena { group, ..Arena::of(1) })?;
    let pod = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    stage.delete_pod(pod.name())?;
    let first = until(LIMIT, "the hook is called", || process(pod.uid(), &HOOK))?;
    let part = format!("kubelet:{}", pod.node());
    stage.cluster.part("stop", &part)?;
    let away = Away { cluster: &stage.cluster, part };
    sleep(AWAY);
    process(pod.uid(), &AGENT).context("the pod was not held")?;
    drop(away);
    until(LIMIT, "the hook is called once more", || {
        let hooks = processes(pod.uid(), &HOOK)?;
        ensure!(hooks.iter().any(|hook| *hook != first), "{hooks:?} run, and {first:?} is the first call");
        Ok(())
    })?;
    let fewer = json!({"spec": {"handoff": {"acks": 1}}});
    stage.cluster.api.patch(&stage.path("HandoffGroup", arena::NAME), &fewer)?;
    stage.wait_replaced(std::slice::from_ref(&pod), 1)?;
    stage.ensure_handed_off(&[pod])?;
    stage.check(crowd)
}
