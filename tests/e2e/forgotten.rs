//! A member that nobody reaches for as long as `membership.forgetAfter` says is removed, and said to be. When it is back,
//! it is a member under another id, with all that was acknowledged.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::{AGENT, process};
use baton_tests::pod::Pod;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::{Value, json};

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "forgotten",
    promise: Promise::Acknowledged,
    sentence: "a_member_that_nobody_reaches_is_removed_after_the_time_that_the_group_says_and_comes_back",
    alone: false,
    run,
};

const PODS: usize = 3;
/// The shortest that a group may say.
const FORGET_AFTER: &str = "30s";
/// What comes to the app. A player whose step is not acknowledged takes it again elsewhere: were it to leave there, its step
/// here would be a write beside its end, and outlive that.
const APP: &[[&str; 2]] = &[["--dport", "8080"]];
/// What comes to the agent from peers and from the operator. Its probes are not among it.
const AGENTS: &[[&str; 2]] = &[["--sport", "7072"], ["--dport", "7072"], ["--sport", "7080"]];
/// How long requests may be under way.
const UNDER_WAY: Duration = Duration::from_secs(3);

/// A pod that such packets do not reach; whatever happens, they do again.
struct CutOff<'a> {
    pod: &'a Pod,
    packets: &'static [[&'static str; 2]],
}

// === impl CutOff ===

impl<'a> CutOff<'a> {
    fn new(pod: &'a Pod, packets: &'static [[&'static str; 2]]) -> Result<Self> {
        let cut = Self { pod, packets };
        cut.rules("-I")?;
        Ok(cut)
    }

    fn rules(&self, action: &str) -> Result<()> {
        let pid = process(self.pod.uid(), &AGENT)?.as_raw_nonzero().to_string();
        for [direction, port] in self.packets {
            let rule = ["iptables", action, "INPUT", "-p", "tcp", direction, port, "-j", "DROP"];
            let done = Command::new("nsenter").args(["--net", "--target", &pid]).args(rule).output();
            let done = done.context("cannot run nsenter")?;
            ensure!(done.status.success(), "iptables {action}: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }
}

impl Drop for CutOff<'_> {
    fn drop(&mut self) {
        let _ = self.rules("-D");
    }
}

fn run(stage: &Stage) -> Result<()> {
    let group = json!({"membership": {"forgetAfter": FORGET_AFTER}});
    let crowd = stage.play(&Arena { group, ..Arena::of(3) })?;
    stage.wait_condition("arena", "InSync", "True", None)?;
    let pod = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    let before = active(stage, &pod)?.context("the pod is no member")?;

    let shut = CutOff::new(&pod, APP)?;
    sleep(UNDER_WAY);
    let cut = CutOff::new(&pod, AGENTS)?;
    wait::until(LIMIT, "the member is removed", || {
        let rows = rows(stage)?;
        let row = rows.iter().find(|row| row["replica"] == before).context("it is not listed any more")?;
        ensure!(row["phase"] == "Gone" && row["forgotten"] == true, "it is {row}");
        Ok(())
    })?;
    stage.wait_event("HandoffGroup", "arena", "MemberForgotten")?;
    stage.wait_condition("arena", "Degraded", "True", Some("MemberForgotten"))?;
    drop(cut);

    wait::until(LIMIT, "the pod is a member again, under another id", || {
        let after = active(stage, &pod)?.context("it is none")?;
        ensure!(after != before, "it has the same id");
        Ok(())
    })?;
    drop(shut);
    stage.wait_ready(PODS)?;
    let same = stage.pods.last_seen(pod.uid()).context("the pod is gone")?;
    ensure!(same.agent_restarts() == 0, "its agent was started again");
    stage.wait_forgotten(PODS)?;
    stage.wait_condition("arena", "InSync", "True", None)?;
    stage.check(crowd)
}

/// The id under which a pod is Active.
fn active(stage: &Stage, pod: &Pod) -> Result<Option<Value>> {
    let rows = rows(stage)?;
    let row = rows.into_iter().find(|row| row["podUid"] == pod.uid() && row["phase"] == "Active");
    Ok(row.map(|row| row["replica"].clone()))
}

fn rows(stage: &Stage) -> Result<Vec<Value>> {
    let membership = stage.cluster.api.get(&stage.path("Membership", "arena"))?;
    Ok(membership["spec"]["members"].as_array().context("there are no members")?.clone())
}
