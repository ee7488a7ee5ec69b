//! Without an operator, running agents replicate and hand off, no new opted-in pod is admitted, and a rollout pauses
//! instead of losing state; it goes on when the operator is back.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::Cluster;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::json;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "operator-away",
    promise: Promise::GoesOn,
    sentence: "a_rollout_without_an_operator_pauses_and_completes_when_it_is_back",
    alone: true,
    run,
};

/// The operator comes back, whatever happens.
struct Away<'a> {
    cluster: &'a Cluster,
    replicas: u64,
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        let _ = self.cluster.scale_operator(self.replicas);
    }
}

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let old = stage.pods.present();
    let away = Away { cluster: &stage.cluster, replicas: stage.cluster.operators()? };
    stage.cluster.scale_operator(0)?;

    stage.restart()?;
    let first = old.first().context("there is no pod")?;
    stage.delete_pod(first.name())?;
    wait::until(LIMIT, "the deleted pod has handed off and is gone", || {
        let left = stage.pods.present();
        ensure!(left.iter().all(|pod| pod.uid() != first.uid()), "it is still there");
        Ok(())
    })?;
    stage.ensure_handed_off(std::slice::from_ref(first))?;
    let before = crowd.acknowledged();
    sleep(Duration::from_secs(3));
    wait::until(LIMIT, "players go on without an operator", || {
        ensure!(crowd.acknowledged() > before, "nothing is acknowledged");
        Ok(())
    })?;
    let present = stage.pods.present();
    ensure!(present.len() == 2, "{} pods are there, and two were left", present.len());
    ensure!(present.iter().all(|pod| old.iter().any(|old| old.uid() == pod.uid())), "a new pod was admitted");
    not_admitted(stage)?;

    drop(away);
    stage.wait_replaced(&old, 3)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}

/// A pod that opts in is refused, and told that the webhook does not answer.
fn not_admitted(stage: &Stage) -> Result<()> {
    let objects = Arena::of(1).objects(stage.cluster.manifests());
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").context("no Deployment")?;
    let template = &deployment["spec"]["template"];
    let metadata = json!({"name": "early", "labels": template["metadata"]["labels"]});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]});
    let refused = stage.cluster.api.create(&stage.path("Pod", ""), &pod)?;
    ensure!(refused.status == 500 && refused.to_string().contains("webhook"), "{refused}");
    Ok(())
}
