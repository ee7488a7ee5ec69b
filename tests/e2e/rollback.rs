//! `kubectl rollout undo` in the middle of a rollout loses nothing: pods of the newer revision hand off to older ones.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "rollback",
    promise: Promise::HandedOff,
    sentence: "a_rollout_that_is_undone_in_the_middle_loses_nothing",
    alone: false,
    run,
};

/// Which ReplicaSet a pod is of.
const REVISION: &str = "pod-template-hash";

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let first = stage.pods.ready().first().and_then(|pod| pod.label(REVISION)?.to_owned().into());
    let first = first.context("a pod has no revision")?;
    let is_first = |label: Option<&str>| label == Some(first.as_str());
    stage.restart()?;
    let newer = wait::until(LIMIT, "a pod of the new revision is ready, and one of the old is there", || {
        let ready = stage.pods.ready();
        ensure!(ready.iter().any(|pod| is_first(pod.label(REVISION))), "the rollout is over");
        let newer: Vec<_> = ready.into_iter().filter(|pod| !is_first(pod.label(REVISION))).collect();
        ensure!(!newer.is_empty(), "none of the new revision is ready");
        Ok(newer)
    })?;
    let seen: BTreeSet<String> = stage.pods.present().iter().map(|pod| pod.uid().to_owned()).collect();
    stage.kubectl(&["rollout", "undo", "deployment/arena"])?;
    wait::until(LIMIT, "three pods of the old revision are ready, and no others are there", || {
        let (present, ready) = (stage.pods.present(), stage.pods.ready());
        let old = present.iter().filter(|pod| is_first(pod.label(REVISION))).count();
        ensure!(present.len() == 3 && ready.len() == 3 && old == 3, "{old} of {} are of it", present.len());
        Ok(())
    })?;
    let left: Vec<_> = seen.iter().filter_map(|uid| stage.pods.last_seen(uid)).filter(|pod| pod.leaving()).collect();
    stage.ensure_handed_off(&left)?;
    stage.ensure_handed_off(&newer)?;
    stage.check(crowd)
}
