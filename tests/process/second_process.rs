//! An agent that starts again in its pod is a new replica: it takes the group's state and forgets nothing.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::agent::{Agent, Options};
use baton_tests::group::{Group, Pod};
use baton_tests::scene::{self, Failure};

#[test]
fn an_agent_that_starts_again_in_its_pod_gets_everything_back() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(2)?;
        group.start_apps("");
        group.play(Duration::from_secs(1));
        let mut pod = group.pods.remove(0);
        let options = Options {
            name: pod.agent.name().to_owned(),
            members: group.members.file().to_owned(),
            peer: pod.agent.ports().peer,
            grace: 30,
            program: None,
            flags: Vec::new(),
        };
        let replica = pod.agent.status()?.replica;
        pod.agent.process().kill()?;
        if let Some(app) = pod.app.take() {
            app.stop()?;
        }
        let agent = Agent::start(&options, folder)?;
        ensure!(agent.status()?.replica != replica, "a replica id is used twice");
        group.pods.insert(0, Pod { agent, app: None });
        group.start_apps("");
        group.play(Duration::from_secs(1));
        group.check()
    })
}
