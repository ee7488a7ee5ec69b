//! `kubectl baton` against a real cluster: what it shows is so, it reaches agents through the API server, and a rollout
//! that it has waited for is over.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait::until;
use serde_json::Value;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "command-line",
    promise: Promise::HandedOff,
    sentence: "the_command_line_shows_and_drives_a_group",
    alone: false,
    run,
};

const PODS: usize = 3;

/// The map in which the arena keeps its players.
const MAP: &str = "players";

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    stage.wait_condition("arena", "Ready", "True", None)?;
    stage.wait_forgotten(PODS)?;
    stage.wait_condition("arena", "Drained", "True", None)?;
    stage.wait_condition("arena", "HandoffSafe", "True", None)?;
    // Counts are written at most every ten seconds.
    until(LIMIT, "the group is shown as it is", || looks(stage))?;
    reads(stage)?;

    let old = stage.pods.present();
    let restart = stage.baton(&["rollout", "restart", "deployment/arena", "--wait", "--timeout", "5m"])?;
    let said = restart.with_code(0)?;
    ensure!(
        said.contains("restarted\n") && said.contains("is over after") && said.contains("3 pods handed off"),
        "{restart:?}"
    );
    stage.ensure_ended(&old)?;
    stage.wait_replaced(&old, PODS)?;
    stage.ensure_handed_off(&old)?;
    for pod in &old {
        ensure!(
            restart.stderr.contains(&format!("pod {} handed off", pod.name())),
            "nothing of {}: {restart:?}",
            pod.name()
        );
    }
    let handoffs = stage.baton(&["handoffs", "arena", "-o", "json"])?.json()?;
    let of = |pod: &str| {
        handoffs["items"].as_array().into_iter().flatten().find(|one| one["spec"]["podName"] == pod).cloned()
    };
    for pod in &old {
        let record = of(pod.name()).with_context(|| format!("no record of {} in {handoffs}", pod.name()))?;
        ensure!(record["status"]["conditions"][0]["status"] == "True", "{record}");
    }
    let table = stage.baton(&["handoffs"])?;
    ensure!(table.with_code(0)?.lines().count() == 1 + old.len(), "{table:?}");

    // New pods may still be catching up, which is worth a warning.
    until(LIMIT, "the doctor finds nothing wrong", || {
        let doctor = stage.baton(&["doctor", "-o", "wide"])?;
        ensure!(doctor.with_code(0)?.contains("0 errors, 0 warnings"), "{doctor:?}");
        Ok(())
    })?;
    let plan = stage.baton(&["doctor", "--uninstall"])?;
    let name = format!("HandoffGroup {}/arena", stage.namespace);
    ensure!(plan.with_code(0)?.contains(&name) && plan.stdout.contains("helm uninstall baton"), "{plan:?}");
    stage.check(crowd)
}

/// Groups and members.
fn looks(stage: &Stage) -> Result<()> {
    let glance = stage.baton(&["status"])?;
    let row =
        glance.with_code(0)?.lines().find(|line| line.starts_with("arena ")).with_context(|| format!("{glance:?}"))?;
    ensure!(row.split_whitespace().take(3).eq(["arena", "True", "3"]), "{row}");
    let full = stage.baton(&["status", "arena"])?;
    for part in ["Selector:   app=arena\n", "SurvivorsAvailable", "Deployment/arena: generation 1 is over"] {
        ensure!(full.with_code(0)?.contains(part), "{part:?} is not in {full:?}");
    }
    let absent = stage.baton(&["status", "nobody"])?;
    ensure!(absent.with_code(1).is_ok() && absent.stderr.contains("there is no HandoffGroup nobody"), "{absent:?}");
    let members = stage.baton(&["members", "-o", "json"])?.json()?;
    let good = |member: &Value| member["phase"] == "Active" && member["ready"] == true && member["group"] == "arena";
    let all = members.as_array().context("no list")?;
    ensure!(all.len() == PODS && all.iter().all(good), "{members}");
    let table = stage.baton(&["members", "arena", "-o", "wide"])?;
    ensure!(table.with_code(0)?.lines().count() == 1 + PODS, "{table:?}");
    Ok(())
}

/// Keys and values, through the API server and an agent's loopback.
fn reads(stage: &Stage) -> Result<()> {
    // Players come and go: a key that is listed may be gone before it is read.
    until(LIMIT, "a key is listed, and read from every pod", || reads_a_key(stage))?;
    let absent = stage.baton(&["get", MAP, "nobody has this key"])?;
    ensure!(absent.with_code(1).is_ok() && absent.stderr.contains("has no key"), "{absent:?}");
    let watch = stage.baton(&["watch", MAP, "--interval", "200ms", "--count", "3", "-o", "json"])?;
    let changes = watch.with_code(0)?.lines().filter(|line| !line.contains(r#""change":"present""#)).count();
    ensure!(changes == 3, "{watch:?}");
    let refused = stage.baton(&["keys", "No Map"])?;
    ensure!(refused.with_code(1).is_ok() && refused.stderr.contains("refuses"), "{refused:?}");
    Ok(())
}

fn reads_a_key(stage: &Stage) -> Result<()> {
    let keys = stage.baton(&["keys", MAP, "--limit", "2", "-o", "json"])?;
    let listed = keys.json()?;
    ensure!(listed.as_array().is_some_and(|keys| keys.len() == 2) && keys.stderr.contains("more than 2"), "{keys:?}");
    let key = listed[0]["key"].as_str().context("no key")?;
    let value = stage.baton(&["get", MAP, key, "--encoded"])?;
    serde_json::from_str::<Value>(value.with_code(0)?).with_context(|| format!("the arena writes JSON: {value:?}"))?;
    for pod in stage.pods.ready() {
        let document = stage.baton(&["get", MAP, key, "--encoded", "--pod", pod.name(), "-o", "json"])?.json()?;
        let good = document["pod"] == pod.name() && document["map"] == MAP && document["size"].as_u64() > Some(0);
        ensure!(good, "{document}");
    }
    Ok(())
}
