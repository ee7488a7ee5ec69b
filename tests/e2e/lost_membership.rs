//! A Membership deleted under running agents is made anew from them, and the next rollout loses nothing.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::Value;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "lost-membership",
    promise: Promise::GoesOn,
    sentence: "a_membership_deleted_under_running_agents_is_made_anew_and_nothing_is_lost",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let path = stage.path("Membership", "arena");
    let before = stage.cluster.api.get(&path)?;
    stage.cluster.api.delete(&path)?;
    wait::until(LIMIT, "the Membership is there again, with all members", || {
        let after = stage.cluster.api.find(&path)?.context("it is not there")?;
        ensure!(after["metadata"]["uid"] != before["metadata"]["uid"], "it is the old one");
        let number = |object: &Value| object["spec"]["number"].as_u64().unwrap_or(0);
        ensure!(number(&after) > number(&before), "its number {} went back", number(&after));
        let active = rows(&after).filter(|row| row["phase"] == "Active").count();
        ensure!(active == 3, "{active} members are Active");
        let same = rows(&before).all(|row| rows(&after).any(|other| other["replica"] == row["replica"]));
        ensure!(same, "a running agent is not in it");
        Ok(())
    })?;
    let old = stage.rollout(3)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}

fn rows(membership: &Value) -> impl Iterator<Item = &Value> {
    membership["spec"]["members"].as_array().into_iter().flatten()
}
