//! An app that takes writes until its process ends: its pod was told to end, its agent's hook has returned, and each of
//! these writes is kept as well.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use baton_tests::arena::{self, Arena};
use baton_tests::http::Http;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::{Value, json};

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "last-word",
    promise: Promise::HandedOff,
    sentence: "what_an_app_writes_until_its_last_moment_is_kept",
    alone: false,
    run,
};

/// A player whom the crowd does not know.
const PLAYER: &str = "/players/last-word";
/// Longer than the server takes for an answer while it runs.
const TIMEOUT: Duration = Duration::from_secs(5);
/// So many attempts in a row without an answer mean that the server has ended.
const SILENCE: u32 = 5;
/// Fewer steps after the pod was told to end would prove nothing. A busy machine takes no more than a few a second.
const ENOUGH: u64 = 3;

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(2))?;
    let pod = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    let url = arena::urls([&pod].into_iter()).into_iter().next().context("the pod has no address")?;
    let http = Http::new(TIMEOUT);
    let joined = http.send("POST", &format!("{url}{PLAYER}"), &[], b"")?;
    ensure!(joined.ok(), "the player did not get in: {joined}");

    let told = AtomicBool::new(false);
    let (before, last) = thread::scope(|scope| {
        let walk = scope.spawn(|| walk(&http, &url, &told));
        let deleted = stage.delete_pod(pod.name());
        told.store(true, Ordering::Relaxed);
        let walked = walk.join().map_err(|_| anyhow::anyhow!("the player has panicked"));
        deleted.and(walked)
    })?;
    ensure!(last >= before + ENOUGH, "it was {before} steps when the pod was told to end, and {last} at last");

    stage.wait_replaced(std::slice::from_ref(&pod), 2)?;
    stage.ensure_handed_off(&[pod])?;
    for server in arena::urls(stage.pods.ready().iter()) {
        wait::until(LIMIT, &format!("{server} knows the player's last step"), || {
            let player: Value = http.get_json(&format!("{server}{PLAYER}"))?;
            let step = player["step"].as_u64().with_context(|| format!("it knows {player}"))?;
            ensure!(step >= last, "it knows {step} of {last}");
            Ok(())
        })?;
    }
    stage.check(crowd)
}

/// Moves until the server has ended. Answers how many steps were acknowledged before its pod was told to end, and in all.
fn walk(http: &Http, url: &str, told: &AtomicBool) -> (u64, u64) {
    let json = [("content-type", "application/json")];
    let (mut before, mut step, mut silent) = (0, 0, 0);
    let begun = Instant::now();
    while silent < SILENCE && begun.elapsed() < LIMIT {
        let to = json!({"x": 1.0, "y": 1.0, "step": step + 1}).to_string();
        match http.send("POST", &format!("{url}{PLAYER}/move"), &json, to.as_bytes()) {
            Ok(reply) => {
                silent = 0;
                // It has taken the step before, and its answer was lost.
                step += u64::from(reply.ok() || reply.status == 409);
            }
            Err(_) => silent += 1,
        }
        if !told.load(Ordering::Relaxed) {
            before = step;
        }
    }
    (before, step)
}
