//! Either of two operators may die at any moment: in the middle of a rollout, the holder of the lease or the one beside
//! it is killed, and the rollout completes as if nothing had been.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::{Cluster, SYSTEM, kill};
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::Value;

pub(crate) const HOLDER: Scenario = Scenario {
    word: "holder-killed",
    promise: Promise::GoesOn,
    sentence: "a_rollout_in_which_the_operator_that_holds_the_lease_is_killed_loses_nothing",
    alone: true,
    run: |stage| run(stage, Victim::Holder),
};

pub(crate) const BESIDE: Scenario = Scenario {
    word: "standby-killed",
    promise: Promise::GoesOn,
    sentence: "a_rollout_in_which_the_operator_beside_the_holder_is_killed_loses_nothing",
    alone: true,
    run: |stage| run(stage, Victim::Beside),
};

const PODS: usize = 3;

#[derive(Clone, Copy, PartialEq)]
enum Victim {
    Holder,
    Beside,
}

fn run(stage: &Stage, victim: Victim) -> Result<()> {
    let cluster = &stage.cluster;
    let crowd = stage.play(&Arena::of(3))?;
    stage.wait_condition("arena", "Ready", "True", None)?;
    let (holder, transitions) = cluster.holder()?;
    let old = stage.pods.present();
    stage.restart()?;
    wait::until(LIMIT, "the first old pod leaves", || {
        let left =
            stage.pods.present().iter().filter(|pod| !pod.leaving()).filter(|pod| is_of(pod.uid(), &old)).count();
        ensure!(left < old.len(), "none does");
        Ok(())
    })?;
    end(cluster, &holder, victim)?;
    let left = stage.pods.present().iter().filter(|pod| is_of(pod.uid(), &old)).count();
    ensure!(left > 0, "the rollout was over before the operator was killed");

    if victim == Victim::Holder {
        wait::until(LIMIT, "another operator holds the lease", || {
            let (now, then) = cluster.holder()?;
            ensure!(now != holder && then > transitions, "{now} holds it");
            Ok(())
        })?;
    }
    stage.wait_drained(&old)?;
    stage.wait_replaced(&old, PODS)?;
    stage.ensure_handed_off(&old)?;
    for pod in &old {
        stage.wait_record(pod.name(), "True")?;
    }
    stage.wait_forgotten(PODS)?;
    for (kind, status) in [("Ready", "True"), ("InSync", "True"), ("Drained", "True"), ("Degraded", "False")] {
        stage.wait_condition("arena", kind, status, None)?;
    }
    cluster.wait_for_operator()?;
    if victim == Victim::Beside {
        ensure!(cluster.holder()?.0 == holder, "the lease has changed hands although its holder lives");
    }
    // Whoever serves whom by now, the next rollout is as good.
    let old = stage.rollout(PODS)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}

fn is_of(uid: &str, pods: &[baton_tests::pod::Pod]) -> bool {
    pods.iter().any(|pod| pod.uid() == uid)
}

/// Kills an operator's process, and deletes its pod before the kubelet starts the container again.
fn end(cluster: &Cluster, holder: &str, victim: Victim) -> Result<()> {
    let pods = cluster.operator_pods()?;
    ensure!(pods.len() == 2, "{} operators are there", pods.len());
    let holds =
        |pod: &&Value| pod["metadata"]["name"].as_str().is_some_and(|name| holder.starts_with(&format!("{name}_")));
    let chosen =
        pods.iter().find(|pod| holds(pod) == (victim == Victim::Holder)).context("no such operator is there")?;
    let name = |field: &str| chosen["metadata"][field].as_str().map(str::to_owned).context("a pod without a name");
    kill(&name("uid")?, &["/baton-operator"])?;
    let path = format!("/api/v1/namespaces/{SYSTEM}/pods/{}?gracePeriodSeconds=0", name("name")?);
    cluster.api.delete(&path)
}
