//! A player of the arena is moved by the pod that owns it, and by that alone: by the same after a crash of the server, which
//! has nothing of its own, and by another after a crash of the pod.

use anyhow::{Context, Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::http::Http;
use baton_tests::scene::{self, Failure};
use baton_tests::server::{Fleet, Server};
use baton_tests::wait::{self, PATIENCE};
use serde_json::{Value, json};

#[test]
fn a_server_that_starts_again_beside_its_agent_goes_on_with_its_players() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut fleet = Fleet::start(folder, 2)?;
        join(&fleet.servers[0], "ann")?;
        advance(&fleet.servers[1], "ann", 1, 50.0)?;
        arrives(&fleet.group.pods[0].agent, "ann", 50.0)?;
        let owner = owner(&fleet.group.pods[0].agent, "ann")?;
        ensure!(owner["mine"] == true, "the pod where she joined does not own her: {owner}");

        fleet.crash_server(0)?;
        advance(&fleet.servers[1], "ann", 2, -50.0)?;
        arrives(&fleet.group.pods[1].agent, "ann", -50.0)?;
        let after = self::owner(&fleet.group.pods[0].agent, "ann")?;
        ensure!(after["token"] == owner["token"], "another has moved her: {owner}, {after}");
        Ok(())
    })
}

#[test]
fn the_players_of_a_pod_that_crashes_go_on_where_they_are_adopted() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut fleet = Fleet::start(folder, 3)?;
        join(&fleet.servers[2], "ann")?;
        advance(&fleet.servers[2], "ann", 1, 50.0)?;
        arrives(&fleet.group.pods[0].agent, "ann", 50.0)?;

        let (mut pod, mut server) = (fleet.group.pods.remove(2), fleet.servers.remove(2));
        server.process().kill()?;
        pod.agent.process().kill()?;
        fleet.group.members.remove(pod.agent.name())?;
        advance(&fleet.servers[0], "ann", 2, -50.0)?;
        arrives(&fleet.group.pods[0].agent, "ann", -50.0)?;
        wait::until(PATIENCE, "the adopter has said that it runs her", || {
            let owner = owner(&fleet.group.pods[0].agent, "ann")?;
            ensure!(owner["confirmed"] == true, "{owner}");
            Ok(())
        })
    })
}

#[test]
fn the_avatar_of_a_player_who_has_left_is_removed() -> Result<(), Failure> {
    scene::run(|folder| {
        let fleet = Fleet::start(folder, 2)?;
        join(&fleet.servers[0], "ann")?;
        let other = &fleet.group.pods[1].agent;
        wait::until(PATIENCE, "the other pod has heard of her", || owner(other, "ann"))?;
        wait::until(PATIENCE, "she leaves by the other pod", || {
            let url = format!("{}/players/ann", fleet.servers[1].url());
            let reply = Http::new(PATIENCE).send("DELETE", &url, &[], b"")?;
            ensure!(reply.status == 204, "{reply}");
            Ok(())
        })?;
        wait::until(PATIENCE, "her avatar is gone", || {
            let avatars = avatars(other)?;
            ensure!(avatars.is_empty(), "{avatars:?}");
            Ok(())
        })
    })
}

fn join(server: &Server, id: &str) -> Result<()> {
    let reply = Http::new(PATIENCE).send("POST", &format!("{}/players/{id}", server.url()), &[], b"")?;
    ensure!(reply.status == 201, "{reply}");
    Ok(())
}

/// A player says where it wants to be. The server may not have heard of it yet.
fn advance(server: &Server, id: &str, step: u64, x: f64) -> Result<()> {
    let (url, body) = (format!("{}/players/{id}/move", server.url()), json!({ "x": x, "y": 0.0, "step": step }));
    wait::until(PATIENCE, "a server takes a move", || {
        let json = [("content-type", "application/json")];
        let reply = Http::new(PATIENCE).send("POST", &url, &json, body.to_string().as_bytes())?;
        ensure!(reply.status == 200, "{reply}");
        Ok(())
    })
}

fn arrives(agent: &Agent, id: &str, x: f64) -> Result<()> {
    wait::until(PATIENCE, &format!("{id} is at {x}"), || {
        let at = avatar(agent, id)?["json"]["x"].as_f64().context("no place")?;
        ensure!((at - x).abs() < 1.0, "at {at}");
        Ok(())
    })
}

fn owner(agent: &Agent, id: &str) -> Result<Value> {
    let owner = avatar(agent, id)?["owner"].take();
    ensure!(owner.is_object(), "nobody owns {id}");
    Ok(owner)
}

fn avatar(agent: &Agent, id: &str) -> Result<Value> {
    avatars(agent)?.into_iter().find(|row| row["key"] == id).context("there is no such avatar")
}

fn avatars(agent: &Agent) -> Result<Vec<Value>> {
    let url = format!("{}/v1/maps/avatars/entries?values=plain", agent.url());
    let list: Value = Http::new(PATIENCE).get_json(&url)?;
    list["entries"].as_array().cloned().context("no list")
}
