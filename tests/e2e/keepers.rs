//! Keepers hold the state while no pod of the app does: also while they are replaced themselves, and when a node of theirs
//! is lost. They hand off when they go.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::{self, Arena};
use baton_tests::cluster::{AGENT, ARENA, kill};
use baton_tests::pod::Pod;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::json;

use crate::node_loss::Lost;

pub(crate) const SCALE_TO_ZERO: Scenario = Scenario {
    word: "kept-at-zero",
    promise: Promise::HandedOff,
    sentence: "scaling_to_zero_and_back_loses_nothing_with_keepers",
    alone: false,
    run: scale_to_zero,
};
pub(crate) const RECREATE: Scenario = Scenario {
    word: "kept-recreate",
    promise: Promise::HandedOff,
    sentence: "a_deployment_that_recreates_its_pods_loses_nothing_with_keepers_which_go_with_the_group",
    alone: false,
    run: recreate,
};
pub(crate) const REPLACED: Scenario = Scenario {
    word: "kept-replaced",
    promise: Promise::HandedOff,
    sentence: "keepers_that_are_replaced_and_scaled_while_they_alone_hold_the_state_lose_nothing",
    alone: false,
    run: replaced,
};
pub(crate) const NODE_LOSS: Scenario = Scenario {
    word: "kept-node-loss",
    promise: Promise::Acknowledged,
    sentence: "a_lost_node_of_a_keeper_takes_no_acknowledged_write_with_it",
    alone: true,
    run: node_loss,
};

const PODS: u32 = 2;
const KEEPERS: usize = 2;
/// What the kubelet says of an image that there is not, in turn.
const NO_IMAGE: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];

fn kept() -> Arena {
    Arena { group: json!({"keepers": {"replicas": KEEPERS}}), ..Arena::of(PODS) }
}

fn scale_to_zero(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&kept())?;
    stage.wait_condition("arena", "HandoffSafe", "True", Some("KeepersAvailable"))?;
    away(stage)?;
    stage.wait_condition("arena", "Ready", "True", Some("KeepersOnly"))?;
    stage.wait_condition("arena", "HandoffSafe", "True", Some("KeepersAvailable"))?;
    stage.wait_condition("arena", "Drained", "True", None)?;
    back(stage)?;
    stage.check(crowd)
}

fn recreate(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena { strategy: Some(json!({"type": "Recreate"})), ..kept() })?;
    stage.wait_condition("arena", "HandoffSafe", "True", Some("KeepersAvailable"))?;
    let old = apps(stage);
    stage.restart()?;
    stage.wait_replaced(&old, PODS as usize + KEEPERS)?;
    stage.ensure_handed_off(&old)?;

    let keepers = keepers(stage);
    stage.cluster.api.delete(&stage.path("HandoffGroup", arena::NAME))?;
    stage.wait_gone(&keepers)?;
    stage.ensure_handed_off(&keepers)?;
    let before = crowd.acknowledged();
    wait::until(LIMIT, "players go on", || {
        ensure!(crowd.acknowledged() > before, "nothing is acknowledged");
        Ok(())
    })?;
    stage.check(crowd)
}

fn replaced(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&kept())?;
    stage.wait_condition("arena", "HandoffSafe", "True", Some("KeepersAvailable"))?;
    away(stage)?;
    let old = keepers(stage);
    change(stage, &json!({"keepers": {"resources": {"requests": {"cpu": "11m", "memory": "32Mi"}}}}))?;
    stage.wait_replaced(&old, KEEPERS)?;
    stage.ensure_handed_off(&old)?;
    one_broken(stage)?;
    change(stage, &json!({"keepers": {"replicas": KEEPERS + 1}}))?;
    stage.wait_ready(KEEPERS + 1)?;
    let last = keepers(stage).into_iter().filter(|pod| pod.name().ends_with("-2")).collect::<Vec<_>>();
    change(stage, &json!({"keepers": {"replicas": KEEPERS}}))?;
    stage.wait_gone(&last)?;
    stage.ensure_handed_off(&last)?;
    back(stage)?;

    let last = keepers(stage);
    change(stage, &json!({"keepers": {"replicas": 0}}))?;
    stage.wait_gone(&last)?;
    stage.ensure_handed_off(&last)?;
    wait::until(LIMIT, "what keepers were made of is gone", || {
        for kind in ["StatefulSet", "PodDisruptionBudget", "NetworkPolicy"] {
            ensure!(stage.cluster.api.find(&stage.path(kind, "arena-keeper"))?.is_none(), "there is a {kind}");
        }
        Ok(())
    })?;
    stage.wait_condition("arena", "HandoffSafe", "True", Some("SurvivorsAvailable"))?;
    stage.check(crowd)
}

/// A revision that does not come up stops at the first keeper, and gives way to the next one.
fn one_broken(stage: &Stage) -> Result<()> {
    let ready = || keepers(stage).into_iter().filter(Pod::ready).collect::<Vec<_>>();
    change(stage, &json!({"agent": {"image": "baton.local/none:dev"}}))?;
    wait::until(LIMIT, "a keeper does not come up", || {
        let reason = |pod: &Pod| Some(pod.agent()?["state"]["waiting"]["reason"].as_str()?.to_owned());
        let reasons: Vec<String> = keepers(stage).iter().filter_map(reason).collect();
        ensure!(reasons.iter().any(|reason| NO_IMAGE.contains(&reason.as_str())), "they wait for {reasons:?}");
        Ok(())
    })?;
    stage.wait_condition("arena", "HandoffSafe", "False", Some("TooFewMembers"))?;
    let left = wait::until(LIMIT, "one keeper is left", || {
        let [left] = ready().try_into().map_err(|ready: Vec<Pod>| anyhow::anyhow!("{} are ready", ready.len()))?;
        Ok(left)
    })?;
    change(stage, &json!({"agent": {"image": null}}))?;
    stage.wait_ready(KEEPERS)?;
    ensure!(ready().iter().any(|pod| pod.uid() == left.uid()), "the one that was left was replaced, too");
    stage.wait_condition("arena", "HandoffSafe", "True", Some("KeepersAvailable")).map(drop)
}

fn node_loss(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&kept())?;
    stage.wait_condition("arena", "InSync", "True", None)?;
    let keepers = keepers(stage);
    let [victim, other] = keepers.as_slice() else { anyhow::bail!("{} keepers are there", keepers.len()) };
    ensure!(victim.node() != other.node(), "both keepers are on {}", other.node());
    let on_node: Vec<Pod> = stage.pods.present().into_iter().filter(|pod| pod.node() == victim.node()).collect();
    let lost = Lost::new(&stage.cluster, victim.node())?;
    for pod in &on_node {
        kill(pod.uid(), &AGENT)?;
        if is_app(pod) {
            kill(pod.uid(), &ARENA)?;
        }
    }

    // What somebody does who knows that the node is lost.
    stage.cluster.kubectl(&["cordon", victim.node()])?;
    let replaced = on_node.iter().try_for_each(|pod| {
        let delete = ["delete", "pod", pod.name(), "--force", "--grace-period=0"];
        stage.kubectl(&delete).map(drop)
    });
    let replaced = replaced.and_then(|()| stage.wait_replaced(&on_node, PODS as usize + KEEPERS));
    let kept = replaced.and_then(|()| kept_by_the_other(stage, other));
    stage.cluster.kubectl(&["uncordon", victim.node()])?;
    kept?;
    drop(lost);
    stage.check(crowd)
}

fn kept_by_the_other(stage: &Stage, other: &Pod) -> Result<()> {
    let left = stage.pods.last_seen(other.uid()).context("the other keeper is gone")?;
    ensure!(left.ready() && left.agent_restarts() == 0, "the other keeper is not as it was");
    away(stage)?;
    back(stage)
}

/// The app goes, and hands off to the keepers.
fn away(stage: &Stage) -> Result<()> {
    let apps = apps(stage);
    stage.scale(0)?;
    stage.wait_gone(&apps)?;
    stage.ensure_handed_off(&apps)
}

/// The app comes back, and has its state from them.
fn back(stage: &Stage) -> Result<()> {
    let keepers = keepers(stage).len();
    stage.scale(PODS)?;
    stage.wait_ready(PODS as usize + keepers)
}

fn change(stage: &Stage, spec: &serde_json::Value) -> Result<()> {
    stage.cluster.api.patch(&stage.path("HandoffGroup", arena::NAME), &json!({"spec": spec}))
}

fn is_app(pod: &Pod) -> bool {
    pod.label("app") == Some(arena::NAME)
}

fn apps(stage: &Stage) -> Vec<Pod> {
    stage.pods.present().into_iter().filter(is_app).collect()
}

fn keepers(stage: &Stage) -> Vec<Pod> {
    stage.pods.present().into_iter().filter(|pod| pod.label("baton.dev/keeper") == Some("true")).collect()
}
