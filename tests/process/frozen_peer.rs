//! A peer that hangs slows nobody: writes go on, it is found out within seconds, and it catches up when it is back.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::Group;
use baton_tests::http::Http;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};
use rustix::process::Signal;

#[test]
fn writes_go_on_while_a_peer_is_stopped_and_it_catches_up_afterwards() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(3)?;
        group.start_apps("");
        group.play(Duration::from_secs(1));

        // Its app hangs with it.
        let mut frozen = group.pods.remove(1);
        let app = frozen.app.take();
        frozen.agent.process().signal(Signal::STOP)?;
        let before = group.ledger.acknowledged();
        let others = || group.pods.iter().map(|pod| &pod.agent);
        wait::until(PATIENCE, "the others see that the link is dead", || {
            others().try_for_each(|agent| ensure_link(agent, frozen.agent.name(), false))
        })?;
        wait::until(PATIENCE, "writes go on", || {
            let during = group.ledger.acknowledged() - before;
            ensure!(during > 50, "{during} writes were acknowledged while a peer was stopped");
            Ok(())
        })?;
        all_acks_are_missed(&group.pods[0].agent)?;

        frozen.agent.process().signal(Signal::CONT)?;
        wait::until(PATIENCE, "the peer is linked and in sync again", || {
            others().try_for_each(|agent| ensure_link(agent, frozen.agent.name(), true))?;
            ensure!(frozen.agent.status()?.in_sync, "it is not in sync");
            Ok(())
        })?;
        if let Some(app) = app {
            app.stop()?;
        }
        group.pods.push(frozen);
        group.check()
    })
}

fn ensure_link(agent: &Agent, peer: &str, up: bool) -> Result<()> {
    let status = agent.status()?;
    let link = status.members.iter().find(|member| member.pod == peer).map(|member| member.link);
    ensure!(link == Some(up), "{} says that its link to {peer} is {link:?}", agent.name());
    Ok(())
}

/// A client that asks for more than there is hears so, and that its write stays.
fn all_acks_are_missed(agent: &Agent) -> Result<()> {
    let url = format!("{}?acks=all", agent.entry("asked-for-all").replace("/sessions/", "/other/"));
    let reply = Http::new(PATIENCE).send("PUT", &url, &[], b"x")?;
    ensure!(reply.status == 504 && reply.json()?["code"] == "acks_timeout", "{reply}");
    Ok(())
}
