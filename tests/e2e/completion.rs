//! A hold waits for as much as the group says: until others own what the pod owned, or until their apps have said that
//! they run it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::crowd::Crowd;
use baton_tests::pod::Pod;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::tunnel::Tunnel;
use baton_tests::wait;
use serde_json::{Value, json};

pub(crate) const ADOPTED: Scenario = Scenario {
    word: "adopted",
    promise: Promise::HandedOff,
    sentence: "a_hold_that_waits_for_adoption_leaves_no_key_with_the_pod_that_leaves",
    alone: false,
    run: adopted,
};
pub(crate) const CONFIRMED: Scenario = Scenario {
    word: "confirmed",
    promise: Promise::HandedOff,
    sentence: "a_hold_that_waits_for_confirmation_ends_when_the_new_owners_apps_have_confirmed",
    alone: false,
    run: confirmed,
};

const MAP: &str = "sessions";
/// Keys that stand for something that runs on the pod.
const SESSIONS: usize = 10;
/// So long nobody confirms anything. The app's end and a copy of the state take less.
const UNCONFIRMED: Duration = Duration::from_secs(6);

/// What one pod owns.
struct Owned {
    session: String,
    token: String,
    confirmed: bool,
}

fn adopted(stage: &Stage) -> Result<()> {
    let (crowd, leaver) = owner(stage, "Adopted")?;
    stage.delete_pod(leaver.name())?;
    stage.wait_replaced(std::slice::from_ref(&leaver), 2)?;
    completed(stage, leaver)?;
    let tunnels = tunnels(stage)?;
    let sessions = sessions(&tunnels)?;
    ensure!(sessions.len() == SESSIONS, "{} of {SESSIONS} sessions have an owner: {sessions:?}", sessions.len());
    stage.check(crowd)
}

fn confirmed(stage: &Stage) -> Result<()> {
    let (crowd, leaver) = owner(stage, "Confirmed")?;
    let stays: Vec<Pod> = stage.pods.ready().into_iter().filter(|pod| pod.uid() != leaver.uid()).collect();
    let survivor = Tunnel::open(stage, stays.first().context("nobody stays")?)?;
    stage.delete_pod(leaver.name())?;
    let told = Instant::now();
    wait::until(LIMIT, "the survivor owns all sessions", || {
        let count = owned(&survivor)?.len();
        ensure!(count == SESSIONS, "it owns {count}");
        Ok(())
    })?;
    std::thread::sleep(UNCONFIRMED.saturating_sub(told.elapsed()));
    let held = stage.pods.last_seen(leaver.uid()).context("it is gone")?;
    ensure!(held.leaving() && held.agent_end().is_none(), "the hold has ended, and nobody has confirmed anything");

    for Owned { session, token, .. } in owned(&survivor)? {
        let reply = survivor.send("POST", &format!("{}:confirm", path(&session)), &[("baton-token", &token)], b"")?;
        ensure!(reply.status == 204, "{session} was not confirmed: {reply}");
    }
    ensure!(owned(&survivor)?.iter().all(|one| one.confirmed), "not all are confirmed");
    stage.wait_replaced(std::slice::from_ref(&leaver), 2)?;
    completed(stage, leaver)?;
    stage.check(crowd)
}

/// Two pods, of which one owns all sessions.
fn owner(stage: &Stage, completion: &str) -> Result<(Crowd, Pod)> {
    let group = json!({"handoff": {"completion": completion, "timeout": "150s"}});
    let crowd = stage.play(&Arena { group, ..Arena::of(2) })?;
    let pod = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    let tunnel = Tunnel::open(stage, &pod)?;
    for number in 0..SESSIONS {
        let path = format!("{}?claim=true", path(&format!("session-{number}")));
        let reply = tunnel.send("PUT", &path, &[("content-type", "text/plain")], b"played")?;
        ensure!(reply.status == 201, "session {number} was not claimed: {reply}");
    }
    Ok((crowd, pod))
}

/// The handoff went well in every respect.
fn completed(stage: &Stage, leaver: Pod) -> Result<()> {
    let record = stage.wait_record(leaver.name(), "True")?;
    ensure!(record["status"]["conditions"][0]["reason"] == "Covered", "it was not completed: {record}");
    stage.ensure_handed_off(&[leaver])
}

fn tunnels(stage: &Stage) -> Result<Vec<Tunnel>> {
    stage.pods.ready().iter().map(|pod| Tunnel::open(stage, pod)).collect()
}

/// The names of what these pods own, each as often as it has an owner.
fn sessions(tunnels: &[Tunnel]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for tunnel in tunnels {
        all.extend(owned(tunnel)?.into_iter().map(|one| one.session));
    }
    Ok(all)
}

fn owned(tunnel: &Tunnel) -> Result<Vec<Owned>> {
    let reply = tunnel.send("GET", "/v1/owned?limit=1000", &[], b"")?;
    ensure!(reply.status == 200, "{reply}");
    let list = reply.json()?;
    let rows = list["owned"].as_array().context("it lists nothing")?;
    // The arena's own app has what it runs in other maps.
    let sessions = rows.iter().filter(|row| row["map"] == MAP);
    sessions.map(|row| Owned::of(row).with_context(|| format!("a row without owner: {row}"))).collect()
}

fn path(session: &str) -> String {
    format!("/v1/maps/{MAP}/entries/{session}")
}

// === impl Owned ===

impl Owned {
    fn of(row: &Value) -> Option<Self> {
        let owner = &row["owner"];
        Some(Self {
            session: row["key"].as_str()?.to_owned(),
            token: owner["token"].as_str()?.to_owned(),
            confirmed: owner["confirmed"].as_bool()?,
        })
    }
}
