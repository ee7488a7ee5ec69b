//! Every write acknowledged with `acks=1`, which is the default, survives `kill -9` of the agent that accepted it, alone
//! or together with its app.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::{ARENA, kill, kill_agent};
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;

pub(crate) const AGENT: Scenario = Scenario {
    word: "crash",
    promise: Promise::Acknowledged,
    sentence: "killing_an_agent_under_writes_loses_no_acknowledged_write",
    alone: false,
    run: |stage| crash(stage, false),
};
pub(crate) const BOTH: Scenario = Scenario {
    word: "crash-of-both",
    promise: Promise::Acknowledged,
    sentence: "killing_an_agent_and_its_app_under_writes_loses_no_acknowledged_write",
    alone: false,
    run: |stage| crash(stage, true),
};

fn crash(stage: &Stage, both: bool) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let victim = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    let before = crowd.acknowledged();
    kill_agent(victim.uid())?;
    if both {
        kill(victim.uid(), &ARENA)?;
    }
    // The kubelet starts it again in the same pod, where it takes the state from its peers.
    wait::until(LIMIT, "the agent runs again and its pod is ready", || {
        let pod = stage.pods.last_seen(victim.uid()).context("the pod is gone")?;
        ensure!(pod.agent_restarts() == 1 && pod.ready(), "restarts: {}", pod.agent_restarts());
        Ok(())
    })?;
    ensure!(crowd.acknowledged() > before, "nobody could play");
    stage.check(crowd)
}
