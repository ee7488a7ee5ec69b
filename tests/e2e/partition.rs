//! Two agents that do not reach each other for a minute go on alone, and agree afterwards.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::{AGENT, process};
use baton_tests::pod::Pod;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "partition",
    promise: Promise::HandedOff,
    sentence: "two_pods_parted_for_a_minute_agree_afterwards",
    alone: false,
    run,
};

const PARTED: Duration = Duration::from_secs(60);

/// Rules in the network namespace of one pod, gone whatever happens.
struct Parted<'a> {
    here: &'a Pod,
    there: &'a Pod,
}

// === impl Parted ===

impl<'a> Parted<'a> {
    fn new(here: &'a Pod, there: &'a Pod) -> Result<Self> {
        let parted = Self { here, there };
        parted.rule("-I")?;
        Ok(parted)
    }

    /// Packets from the other pod are dropped, and those to it find no answer.
    fn rule(&self, action: &str) -> Result<()> {
        let pid = process(self.here.uid(), &AGENT)?.as_raw_nonzero().to_string();
        let drop = ["iptables", action, "INPUT", "-s", self.there.ip(), "-j", "DROP"];
        let done = Command::new("nsenter").args(["--net", "--target", &pid]).args(drop).output();
        let done = done.context("cannot run nsenter")?;
        ensure!(done.status.success(), "iptables {action}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }
}

impl Drop for Parted<'_> {
    fn drop(&mut self) {
        let _ = self.rule("-D");
    }
}

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(2))?;
    stage.wait_condition("arena", "InSync", "True", None)?;
    let pods = stage.pods.ready();
    let [here, there] = pods.as_slice() else { anyhow::bail!("{} pods are ready", pods.len()) };
    let parted = Parted::new(here, there)?;
    sleep(PARTED);
    ensure!(stage.pods.ready().len() == 2, "a pod is not ready because it does not reach the other");
    stage.wait_condition("arena", "InSync", "False", Some("MembersParted"))?;
    drop(parted);
    stage.wait_condition("arena", "InSync", "True", None)?;
    let old = stage.rollout(2)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}
