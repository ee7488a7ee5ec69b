//! A survivor that hangs is not counted as one: a pod that leaves hands off to another, and says so only then.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::{AGENT, signal};
use baton_tests::pod::Pod;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use rustix::process::Signal;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "frozen-survivor",
    promise: Promise::HandedOff,
    sentence: "a_pod_beside_a_frozen_survivor_hands_off_to_another",
    alone: false,
    run,
};

/// An agent that is stopped goes on, whatever happens.
struct Frozen(Pod);

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = signal(self.0.uid(), &AGENT, Signal::CONT);
    }
}

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let mut pods = stage.pods.ready().into_iter();
    let (frozen, leaver) = (pods.next().context("no pod is ready")?, pods.next().context("one pod is ready")?);
    let third = pods.next().context("two pods are ready")?;
    let frozen = Frozen(frozen);
    signal(frozen.0.uid(), &AGENT, Signal::STOP)?;
    stage.delete_pod(leaver.name())?;
    wait::until(LIMIT, "the pod has left", || {
        let there = stage.pods.present().iter().any(|pod| pod.uid() == leaver.uid());
        ensure!(!there, "it is there");
        Ok(())
    })?;
    stage.ensure_handed_off(std::slice::from_ref(&leaver))?;
    wait::until(LIMIT, "a record names the third pod as a survivor", || {
        let records = stage.cluster.api.get(&stage.path("Handoff", ""))?.to_string();
        ensure!(records.contains(third.name()), "{} is not in {records}", third.name());
        Ok(())
    })?;
    drop(frozen);
    stage.wait_ready(3)?;
    stage.check(crowd)
}
