//! What lives on a pod that ends or crashes lives on another within a second, whose app alone is told; and it stays with
//! the app's pod when only the app ends.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::Group;
use baton_tests::http::{Http, Reply};
use baton_tests::scene::{self, Failure};
use baton_tests::wait;
use baton_tests::watch::{Event, Watch};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(10);

/// How soon an adopter's app must hear of it, after the list that names the owner no more.
const PROMPTLY: Duration = Duration::from_secs(1);

/// Nothing more comes: longer than agents take to find out, by a members file, that a process is gone.
const SILENT: Duration = Duration::from_secs(6);

const SESSIONS: usize = 12;

#[test]
fn the_sessions_of_a_crashed_pod_are_adopted_within_a_second_each_by_one() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(3)?;
        let mut tokens = Vec::new();
        for number in 0..SESSIONS {
            let put = send("PUT", &format!("{}?claim=true", session(&group.pods[2].agent, number)), &[], b"played")?;
            tokens.push(put.header("baton-token").context("no token")?.to_owned());
        }
        let watches: Result<Vec<Watch>> = group.pods[..2].iter().map(|pod| watch(&pod.agent)).collect();
        let mut crashed = group.pods.remove(2);
        crashed.agent.process().kill()?;
        group.members.remove(crashed.agent.name())?;
        let gone = crashed.agent.name();

        let mut adopted: Vec<(usize, Event)> = Vec::new();
        std::thread::scope(|scope| {
            let readers: Vec<_> = watches?
                .into_iter()
                .enumerate()
                .map(|(at, watch)| scope.spawn(move || read_until_silent(at, gone, watch)))
                .collect();
            for reader in readers {
                adopted.extend(reader.join().map_err(|_| anyhow::anyhow!("a reader has panicked"))??);
            }
            anyhow::Ok(())
        })?;
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

#[test]
fn a_hold_that_waits_for_confirmation_ends_when_the_adopters_app_says_so() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder);
        group.members.set_completion("Confirmed");
        group = group.with_pods(2)?;
        let leaver = group.pods.remove(0);
        let put = send("PUT", &format!("{}?claim=true", session(&leaver.agent, 0)), &[], b"played")?;
        ensure!(put.status == 201, "{put}");
        let stays = &group.pods[0].agent;
        let mut watch = watch(stays)?;
        let url = session(stays, 0);
        let (departure, confirmed) = std::thread::scope(|scope| {
            let confirms = scope.spawn(move || {
                let adopted = watch.next_of("adopted")?;
                let begun = Instant::now();
                // The hold must not end before this.
                std::thread::sleep(Duration::from_millis(700));
                let token = adopted.data["token"].as_str().context("no token")?;
                let reply = send("POST", &format!("{url}:confirm"), &[("baton-token", token)], b"")?;
                ensure!(reply.status == 204, "{reply}");
                Ok(begun)
            });
            let name = leaver.agent.name().to_owned();
            let mut leaver = leaver;
            let departure = group.members.mark_leaving(&[&name]).and_then(|()| leaver.end(Duration::from_secs(40)));
            (departure, confirms.join())
        });
        let adopted_at = confirmed.map_err(|_| anyhow::anyhow!("the adopter's app has panicked"))??;
        let departure = departure?;
        departure.ensure_acknowledged()?;
        ensure!(departure.hook.took > Duration::from_millis(600), "it did not wait: {departure:?}");
        ensure!(adopted_at.elapsed() < SOON, "it took {:?}", adopted_at.elapsed());
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
        let owned: Value = Http::new(SOON).get_json(&format!("{}/v1/owned?values=plain", agent.url()))?;
        ensure!(owned["owned"][0]["owner"]["token"] == token, "{owned}");
        let mut again = Watch::open(agent.ports().http, "", Some(&seen), SOON)?;
        wait::until(SOON, "what was missed comes", || {
            let event = again.next_of("change")?;
            ensure!(event.data["new"]["text"] == "by another", "{event:?}");
            Ok(())
        })
    })
}

/// What a survivor's app is told to have adopted, until nothing comes any more; with the list that says who is gone, or
/// soon after it.
fn read_until_silent(at: usize, gone: &str, mut watch: Watch) -> Result<Vec<(usize, Event)>> {
    let (mut adopted, mut gone_at) = (Vec::new(), None);
    while let Ok(event) = watch.event() {
        let listed = event.data["members"]
            .as_array()
            .is_some_and(|rows| rows.iter().any(|row| row["pod"] == gone && row["phase"] != "Gone"));
        if event.kind == "members" && !listed {
            gone_at.get_or_insert_with(Instant::now);
        }
        if event.kind == "adopted" {
            let late = gone_at.is_some_and(|gone_at| gone_at.elapsed() > PROMPTLY);
            ensure!(
                !late,
                "{} is adopted only {:?} later",
                event.data["key"],
                gone_at.map(|gone_at| gone_at.elapsed())
            );
            adopted.push((at, event));
        }
    }
    Ok(adopted)
}

fn watch(agent: &Agent) -> Result<Watch> {
    Watch::open(agent.ports().http, "", None, SILENT)
}

fn session(agent: &Agent, number: usize) -> String {
    format!("{}/v1/maps/sessions/entries/session-{number}", agent.url())
}

fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply> {
    Http::new(SOON).send(method, url, headers, body)
}
