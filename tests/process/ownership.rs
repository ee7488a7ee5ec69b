//! What lives on a pod that ends or crashes lives on another, whose app alone is told; and it stays with the app's pod when
//! only the app ends.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::{Departure, Group, Pod};
use baton_tests::http::{Http, Reply};
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};
use baton_tests::watch::{Event, Watch};
use serde_json::Value;

const SESSIONS: usize = 12;

/// The key after which no session is adopted any more.
const LAST: &str = "last";

#[test]
fn the_sessions_of_a_crashed_pod_are_adopted_each_by_one() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(3)?;
        let mut tokens = Vec::new();
        for number in 0..SESSIONS {
            let put = send("PUT", &format!("{}?claim=true", session(&group.pods[2].agent, number)), &[], b"played")?;
            tokens.push(put.header("baton-token").context("no token")?.to_owned());
        }
        let mut crashed = group.pods.remove(2);
        let watches: Result<Vec<Watch>> = group.pods.iter().map(|pod| watch(&pod.agent)).collect();
        crashed.agent.process().kill()?;
        group.members.remove(crashed.agent.name())?;
        wait::until(PATIENCE, "each session has another owner", || {
            let owned: Result<Vec<usize>> = group.pods.iter().map(|pod| owned(&pod.agent)).collect();
            let owned = owned?;
            ensure!(owned.iter().sum::<usize>() == SESSIONS, "they own {owned:?}");
            Ok(())
        })?;
        let last = send("PUT", &format!("{}?acks=all", entry(&group.pods[0].agent, LAST)), &[], b"")?;
        ensure!(last.status == 201, "{last}");

        let mut adopted: Vec<(usize, Event)> = Vec::new();
        for (at, watch) in watches?.into_iter().enumerate() {
            adopted.extend(adopted_before_last(watch)?.into_iter().map(|event| (at, event)));
        }
        let mut keys: Vec<&str> = adopted.iter().filter_map(|(_, event)| event.data["key"].as_str()).collect();
        keys.sort_unstable();
        ensure!(keys.len() == SESSIONS, "not each was adopted once: {keys:?}");
        keys.dedup();
        ensure!(keys.len() == SESSIONS, "not each was adopted once: {keys:?}");
        for (at, event) in &adopted {
            a_session_goes_on(&group.pods[*at].agent, event, &tokens)?;
        }
        Ok(())
    })
}

/// What an app is told to have adopted.
fn adopted_before_last(mut watch: Watch) -> Result<Vec<Event>> {
    let mut adopted = Vec::new();
    loop {
        let event = watch.event()?;
        match (event.kind.as_str(), event.data["key"].as_str()) {
            ("adopted", _) => adopted.push(event),
            ("change", Some(LAST)) => return Ok(adopted),
            _ => {}
        }
    }
}

/// How many keys an agent owns.
fn owned(agent: &Agent) -> Result<usize> {
    let owned: Value = Http::new(PATIENCE).get_json(&format!("{}/v1/owned", agent.url()))?;
    Ok(owned["owned"].as_array().context("no list")?.len())
}

/// The adopter has the value and a greater token; the old one is refused, and the new one is not.
fn a_session_goes_on(agent: &Agent, event: &Event, tokens: &[String]) -> Result<()> {
    let key = event.data["key"].as_str().context("no key")?;
    let number: usize = key.trim_start_matches("session-").parse()?;
    let token = event.data["token"].as_str().context("no token")?;
    ensure!(event.data["new"]["text"] == "played" && token > &*tokens[number], "{event:?}");
    let url = session(agent, number);
    let stale = send("PUT", &url, &[("baton-token", &tokens[number])], b"by who is gone")?;
    ensure!(stale.status == 409 && stale.json()?["code"] == "stale_token", "{stale}");
    let good = send("PUT", &url, &[("baton-token", token)], b"goes on")?;
    ensure!(good.status == 200, "{good}");
    Ok(())
}

/// Who hears first that a pod ends.
#[derive(Clone, Copy, PartialEq)]
enum First {
    /// Its agent, by the hook.
    Leaver,
    /// The adopter, by the list.
    Adopter,
}

#[test]
fn a_hold_that_waits_for_confirmation_ends_when_the_adopters_app_says_so() -> Result<(), Failure> {
    confirm_while_held(First::Leaver)
}

/// With a members file each agent finds out for itself who leaves: the leaver was late, and did not wait.
#[test]
fn a_hold_waits_for_the_confirmation_of_what_was_adopted_before_the_hook_was_called() -> Result<(), Failure> {
    confirm_while_held(First::Adopter)
}

fn confirm_while_held(first: First) -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder);
        group.members.set_completion("Confirmed");
        group = group.with_pods(2)?;
        let mut leaver = group.pods.remove(0);
        let put = send("PUT", &format!("{}?claim=true", session(&leaver.agent, 0)), &[], b"played")?;
        ensure!(put.status == 201, "{put}");
        let stays = &group.pods[0].agent;
        let mut watch = watch(stays)?;
        if first == First::Adopter {
            group.members.mark_leaving(&[leaver.agent.name()])?;
            wait_for_new_owner(&leaver, put.header("baton-token"))?;
        }
        let confirmed = AtomicBool::new(false);
        let hook = std::thread::scope(|scope| {
            let hook = scope.spawn(|| (leaver.agent.drain(), confirmed.load(Ordering::SeqCst)));
            wait::until(PATIENCE, "the hook is held", || {
                ensure!(leaver.agent.log().contains("Holding the preStop hook"), "its log does not say so");
                Ok(())
            })?;
            let adopted = watch.next_of("adopted")?;
            let token = adopted.data["token"].as_str().context("no token")?;
            wait_for_new_owner(&leaver, put.header("baton-token"))?;
            confirmed.store(true, Ordering::SeqCst);
            let reply = send("POST", &format!("{}:confirm", session(stays, 0)), &[("baton-token", token)], b"")?;
            ensure!(reply.status == 204, "{reply}");
            let (hook, in_time) = hook.join().map_err(|_| anyhow::anyhow!("the hook's thread has panicked"))?;
            ensure!(in_time, "it did not wait: {hook:?}");
            hook
        })?;
        let (status, farewell) = leaver.agent.stop(PATIENCE)?;
        Departure { hook, code: status.code(), farewell }.ensure_acknowledged()
    })
}

/// The leaver has heard that another owns what it owned.
fn wait_for_new_owner(leaver: &Pod, before: Option<&str>) -> Result<()> {
    wait::until(PATIENCE, "the leaver knows the new owner", || {
        let seen = send("GET", &session(&leaver.agent, 0), &[], b"")?;
        ensure!(seen.status == 200 && seen.header("baton-token") != before, "{seen}");
        Ok(())
    })
}

#[test]
fn an_app_that_starts_again_beside_its_agent_goes_on_with_what_it_owns() -> Result<(), Failure> {
    scene::run(|folder| {
        let group = Group::new(folder).with_pods(2)?;
        let agent = &group.pods[0].agent;
        let mut app = watch(agent)?;
        let put = send("PUT", &format!("{}?claim=true", session(agent, 0)), &[], b"played")?;
        let token = put.header("baton-token").context("no token")?;
        let seen = app.next_of("change")?.id;
        // The app ends, and misses what happens to its session.
        drop(app);
        ensure!(send("PUT", &session(&group.pods[1].agent, 0), &[], b"by another")?.status == 200, "it was not put");
        let owned: Value = Http::new(PATIENCE).get_json(&format!("{}/v1/owned?values=plain", agent.url()))?;
        ensure!(owned["owned"][0]["owner"]["token"] == token, "{owned}");
        let mut again = Watch::open(agent.ports().http, "", Some(&seen), PATIENCE)?;
        wait::until(PATIENCE, "what was missed comes", || {
            let event = again.next_of("change")?;
            ensure!(event.data["new"]["text"] == "by another", "{event:?}");
            Ok(())
        })
    })
}

fn watch(agent: &Agent) -> Result<Watch> {
    Watch::open(agent.ports().http, "", None, PATIENCE)
}

fn session(agent: &Agent, number: usize) -> String {
    entry(agent, &format!("session-{number}"))
}

fn entry(agent: &Agent, key: &str) -> String {
    format!("{}/v1/maps/sessions/entries/{key}", agent.url())
}

fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply> {
    Http::new(PATIENCE).send(method, url, headers, body)
}
