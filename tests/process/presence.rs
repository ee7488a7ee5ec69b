//! Who is present is told on every pod, and ends with their session, their pod or their deadline, and with nothing else.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::{Departure, Group};
use baton_tests::http::{Http, Reply};
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};
use baton_tests::watch::{Event, Watch};
use serde_json::Value;

/// Longer than any scenario.
const LONG: &str = "linger=3600s";

#[test]
fn who_comes_and_goes_is_told_on_every_pod_and_listed() -> Result<(), Failure> {
    scene::run(|folder| {
        let group = Group::new(folder).with_pods(2)?;
        let (here, there) = (&group.pods[0].agent, &group.pods[1].agent);
        let mut viewer = viewer(there)?;
        put(here, "ann?ref=phone", r#"{"name": "Ann"}"#, 201)?;
        viewer.expect(&["ann/phone"], &[])?;
        put(here, "ann?ref=laptop", r#"{"name": "Ann"}"#, 201)?;
        viewer.expect(&["ann/laptop"], &[])?;
        // The same again is nothing new.
        put(here, "ann?ref=phone", r#"{"name": "Ann"}"#, 200)?;
        put(here, "ann?ref=phone", r#"{"name": "Anna"}"#, 200)?;
        let event = viewer.expect(&["ann/phone"], &["ann/phone"])?;
        let (new, old) = (&event.data["joins"]["ann"]["metas"][0], &event.data["leaves"]["ann"]["metas"][0]);
        ensure!(new["name"] == "Anna" && old["name"] == "Ann" && new["phx_ref"] != old["phx_ref"], "{event:?}");

        let list: Value = Http::new(PATIENCE).get_json(&topic(there))?;
        ensure!(list["presences"]["ann"]["metas"].as_array().context("no list")?.len() == 2, "{list}");
        ensure!(send("DELETE", &seat(here, "ann?ref=phone"), b"")?.status == 204, "it was not deleted");
        let event = viewer.expect(&[], &["ann/phone"])?;
        ensure!(event.data["leaves"]["ann"]["metas"][0]["phx_ref"] == new["phx_ref"], "{event:?}");
        let ann: Value = Http::new(PATIENCE).get_json(&seat(there, "ann"))?;
        ensure!(ann["metas"].as_array().context("no list")?.len() == 1 && ann["metas"][0]["ref"] == "laptop", "{ann}");
        ensure!(send("DELETE", &seat(there, "ann?ref=laptop"), b"")?.status == 204, "it was not deleted");
        viewer.expect(&[], &["ann/laptop"])?;
        ensure!(send("GET", &seat(there, "ann"), b"")?.status == 404, "she is there");
        Ok(())
    })
}

#[test]
fn a_session_takes_with_it_all_that_is_tied_to_it_and_nothing_else() -> Result<(), Failure> {
    scene::run(|folder| {
        let group = Group::new(folder).with_pods(2)?;
        let here = &group.pods[0].agent;
        let mut viewer = viewer(&group.pods[1].agent)?;
        let app = session(here, "app")?;
        for who in ["ann?session=app", "bob?session=app", "cleo"] {
            put(here, who, "{}", 201)?;
        }
        let come: BTreeSet<String> = (0..3).map(|_| viewer.next()).collect::<Result<_>>()?;
        ensure!(come == set(&["+ann/app", "+bob/app", "+cleo/default"]), "{come:?}");
        drop(app);
        let gone: BTreeSet<String> = (0..2).map(|_| viewer.next()).collect::<Result<_>>()?;
        ensure!(gone == set(&["-ann/app", "-bob/app"]), "{gone:?}");
        let late = send("PUT", &seat(here, "dora?session=app"), b"")?;
        ensure!(late.status == 409 && late.json()?["code"] == "no_session", "{late}");
        viewer.expect_nothing(here)
    })
}

#[test]
fn a_session_that_comes_back_in_time_has_lost_nobody() -> Result<(), Failure> {
    scene::run(|folder| {
        let group = Group::new(folder).with_pods(2)?;
        let (here, there) = (&group.pods[0].agent, &group.pods[1].agent);
        let mut viewer = viewer(there)?;
        let app = session(here, "app")?;
        put(here, &format!("ann?session=app&{LONG}"), "{}", 201)?;
        put(here, "bob?session=app&linger=1s", "{}", 201)?;
        viewer.expect(&["ann/app"], &[])?;
        viewer.expect(&["bob/app"], &[])?;
        drop(app);
        wait_for(there, "ann/app", "she lingers", |row| row["expiresAt"].is_u64())?;
        // Who lingers for a second leaves then.
        viewer.expect(&[], &["bob/app"])?;
        let _back = session(here, "app")?;
        wait_for(there, "ann/app", "she does not linger any more", |row| row["expiresAt"].is_null())?;
        viewer.expect_nothing(here)
    })
}

#[test]
fn what_lives_by_heartbeats_leaves_when_they_stop() -> Result<(), Failure> {
    scene::run(|folder| {
        let group = Group::new(folder).with_pods(2)?;
        let (here, there) = (&group.pods[0].agent, &group.pods[1].agent);
        let mut viewer = viewer(there)?;
        put(here, "ann?ttl=1h", "{}", 201)?;
        viewer.expect(&["ann/default"], &[])?;
        // Any pod may say it again.
        wait::until(PATIENCE, "the other pod knows of her", || {
            ensure!(send("GET", &seat(there, "ann"), b"")?.status == 200, "she is not there");
            Ok(())
        })?;
        put(there, "ann?ttl=2h", "{}", 200)?;
        viewer.expect_nothing(here)?;
        put(there, "ann?ttl=1s", "{}", 200)?;
        viewer.expect(&[], &["ann/default"])?;
        Ok(())
    })
}

#[test]
fn the_presences_of_a_crashed_pod_leave_or_linger_until_they_are_said_again() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(3)?;
        let mut crashed = group.pods.remove(2);
        let mut viewer = viewer(&group.pods[1].agent)?;
        let app = session(&crashed.agent, "old")?;
        for who in ["ann?ref=tab&session=old".to_owned(), "bob?ref=tab".to_owned(), lingers("cleo", "old")] {
            put(&crashed.agent, &who, "{}", 201)?;
            viewer.next()?;
        }
        crashed.agent.process().kill()?;
        drop(app);
        group.members.remove(crashed.agent.name())?;
        let gone: BTreeSet<String> = (0..2).map(|_| viewer.next()).collect::<Result<_>>()?;
        ensure!(gone == set(&["-ann/tab", "-bob/tab"]), "{gone:?}");
        let here = &group.pods[0].agent;
        wait_for(here, "cleo/tab", "she lingers", |row| row["expiresAt"].is_u64())?;
        let _new = session(here, "new")?;
        put(here, &lingers("cleo", "new"), "{}", 200)?;
        wait_for(&group.pods[1].agent, "cleo/tab", "she lives here now", |row| row["expiresAt"].is_null())?;
        viewer.expect_nothing(here)
    })
}

#[test]
fn a_handoff_takes_nobody_away_who_is_there_before_their_session_ends() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder);
        // What is adopted of presences needs no word of an app.
        group.members.set_completion("Confirmed");
        let mut group = group.with_pods(3)?;
        let mut leaver = group.pods.remove(0);
        let (here, there) = (&group.pods[0].agent, &group.pods[1].agent);
        let mut viewer = viewer(there)?;
        let old = session(&leaver.agent, "old")?;
        put(&leaver.agent, &lingers("ann", "old"), "{}", 201)?;
        put(&leaver.agent, "bob?ref=tab&session=old", "{}", 201)?;
        viewer.expect(&["ann/tab"], &[])?;
        viewer.expect(&["bob/tab"], &[])?;
        group.members.mark_leaving(&[leaver.agent.name()])?;
        let hook = leaver.agent.drain()?;
        for who in ["ann/tab", "bob/tab"] {
            wait_for(here, who, "they are adopted", |row| is_of_a_survivor(&group, row))?;
        }
        viewer.expect_nothing(here)?;

        // The app ends, and its clients go to another pod.
        drop(old);
        viewer.expect(&[], &["bob/tab"])?;
        wait_for(here, "ann/tab", "she lingers", |row| row["expiresAt"].is_u64())?;
        let _new = session(here, "new")?;
        put(here, &lingers("ann", "new"), "{}", 200)?;
        let (status, farewell) = leaver.agent.stop(PATIENCE)?;
        group.members.remove(leaver.agent.name())?;
        Departure { hook, code: status.code(), farewell }.ensure_acknowledged()?;
        wait_for(there, "ann/tab", "she lives here now", |row| {
            row["expiresAt"].is_null() && is_of_a_survivor(&group, row)
        })?;
        viewer.expect_nothing(here)
    })
}

#[test]
fn presences_of_a_map_that_releases_leave_when_their_pod_begins_to_end() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder);
        group.members.set_on_departure("rooms", "Release");
        let mut group = group.with_pods(2)?;
        let leaver = group.pods.remove(0);
        let mut viewer = viewer(&group.pods[0].agent)?;
        let _app = session(&leaver.agent, "app")?;
        put(&leaver.agent, &format!("ann?session=app&{LONG}"), "{}", 201)?;
        viewer.expect(&["ann/app"], &[])?;
        group.members.mark_leaving(&[leaver.agent.name()])?;
        viewer.expect(&[], &["ann/app"])?;
        Ok(())
    })
}

/// Somebody who is told who comes and goes.
struct Viewer(Watch);

impl Viewer {
    /// The next of what is told: each name, with + before it if they have come, and - if they have gone.
    fn next(&mut self) -> Result<String> {
        Ok(told(&self.0.next_of("presence")?.data).join(" "))
    }

    /// The next of what is told, which must be this.
    fn expect(&mut self, joins: &[&str], leaves: &[&str]) -> Result<Event> {
        let event = self.0.next_of("presence")?;
        let expected = joins.iter().map(|name| format!("+{name}"));
        let expected: Vec<String> = expected.chain(leaves.iter().map(|name| format!("-{name}"))).collect();
        ensure!(told(&event.data) == expected, "{expected:?} was expected: {event:?}");
        Ok(event)
    }

    /// Nothing has been told by the time that somebody else comes.
    fn expect_nothing(&mut self, agent: &Agent) -> Result<()> {
        let status = send("PUT", &seat(agent, "zoe?acks=all"), b"{}")?.status;
        ensure!(status == 201, "{status}");
        self.expect(&["zoe/default"], &[])?;
        ensure!(send("DELETE", &seat(agent, "zoe?acks=all"), b"")?.status == 204, "it was not deleted");
        self.expect(&[], &["zoe/default"])?;
        Ok(())
    }
}

fn told(diff: &Value) -> Vec<String> {
    let mut told = Vec::new();
    for (sign, side) in [('+', "joins"), ('-', "leaves")] {
        for (who, metas) in diff[side].as_object().into_iter().flatten() {
            let metas = metas["metas"].as_array().into_iter().flatten();
            told.extend(metas.map(|meta| format!("{sign}{who}/{}", meta["ref"].as_str().unwrap_or_default())));
        }
    }
    told
}

fn viewer(agent: &Agent) -> Result<Viewer> {
    let mut watch = Watch::open(agent.ports().http, "?map=rooms&prefix=lobby&events=presence", None, PATIENCE)?;
    watch.next_of("start")?;
    Ok(Viewer(watch))
}

/// An app that holds a session open.
fn session(agent: &Agent, name: &str) -> Result<Watch> {
    let mut watch = Watch::open(agent.ports().http, &format!("?events=members&session={name}"), None, PATIENCE)?;
    watch.next_of("start")?;
    Ok(watch)
}

fn lingers(who: &str, session: &str) -> String {
    format!("{who}?ref=tab&session={session}&{LONG}")
}

fn topic(agent: &Agent) -> String {
    format!("{}/v1/maps/rooms/presences/lobby", agent.url())
}

fn seat(agent: &Agent, who: &str) -> String {
    format!("{}/{who}", topic(agent))
}

fn put(agent: &Agent, who: &str, meta: &str, status: u16) -> Result<()> {
    let reply = send("PUT", &seat(agent, who), meta.as_bytes())?;
    ensure!(reply.status == status, "{who}: {reply}");
    Ok(())
}

fn send(method: &str, url: &str, body: &[u8]) -> Result<Reply> {
    Http::new(PATIENCE).send(method, url, &[], body)
}

/// Waits until what is stored of a presence is as it should be.
fn wait_for(agent: &Agent, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Result<()> {
    let url = format!("{}/v1/maps/rooms/hashes/lobby?prefix={}", agent.url(), name.replace('/', "%2F"));
    wait::until(PATIENCE, &format!("{name}: {what}"), || {
        let page: Value = Http::new(PATIENCE).get_json(&url)?;
        let row = page["fields"].get(0).context("they are not there")?;
        ensure!(holds(row), "{row}");
        Ok(())
    })
}

fn is_of_a_survivor(group: &Group, row: &Value) -> bool {
    let owner = &row["owner"]["replica"];
    group.pods.iter().any(|pod| pod.agent.status().is_ok_and(|status| *owner == status.replica))
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
