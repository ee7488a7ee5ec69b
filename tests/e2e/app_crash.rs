//! The app crashes and its agent stays: everything is kept, and the app finds it again when it is back.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::{ARENA, kill};
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "app-crash",
    promise: Promise::Kept,
    sentence: "an_app_that_crashes_beside_its_agent_loses_nothing",
    alone: false,
    run,
};

/// One pod: there is nobody else to have the state from.
fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(1))?;
    let pod = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    kill(pod.uid(), &ARENA)?;
    wait::until(LIMIT, "the app runs again", || {
        let pod = stage.pods.last_seen(pod.uid()).context("the pod is gone")?;
        let restarts = pod.0["status"]["containerStatuses"][0]["restartCount"].as_u64();
        ensure!(restarts == Some(1) && pod.ready(), "restarts: {restarts:?}");
        ensure!(pod.agent_restarts() == 0, "the agent was restarted too");
        Ok(())
    })?;
    stage.check(crowd)
}
