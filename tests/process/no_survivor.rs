//! A handoff that reaches nobody is reported as failed, in time, by the hook, the exit code and the message.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::group::Group;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::PATIENCE;

/// With a grace period of six seconds the hook has three.
const GRACE: u32 = 6;

#[test]
fn a_drain_without_a_survivor_fails_at_its_deadline_and_says_so() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_grace(GRACE).with_pods(1)?;
        group.start_apps("");
        group.play(Duration::from_millis(500));
        let pod = group.pods.remove(0);
        let departure = group.leave(pod)?;
        departure.ensure_failed()?;
        let held = departure.hook.took;
        ensure!(held > Duration::from_secs(2), "the hook was held for {held:?}, and its deadline is 3 s");
        ensure!(departure.hook.stderr.contains("lost"), "the hook says: {}", departure.hook.stderr);
        Ok(())
    })
}

#[test]
fn an_agent_that_holds_nothing_leaves_at_once() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_grace(GRACE).with_pods(1)?;
        let pod = group.pods.remove(0);
        let departure = group.leave(pod)?;
        let good = departure.hook.code == Some(0) && departure.code == Some(0);
        ensure!(good && departure.farewell.outcome == "nothing", "{departure:?}");
        Ok(())
    })
}

#[test]
fn a_lone_pod_waits_for_its_replacement_and_hands_over() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(1)?;
        group.start_apps("");
        group.play(Duration::from_millis(500));
        let old = group.pods.remove(0);
        // The old one is told first, as when a pod is deleted; its replacement comes a second later.
        group.members.mark_leaving(&[old.agent.name()])?;
        let options = group.announce()?;
        let (old, new) = std::thread::scope(|scope| {
            let leaving = scope.spawn(move || {
                let mut old = old;
                old.end(PATIENCE)
            });
            std::thread::sleep(Duration::from_secs(1));
            let new = baton_tests::agent::Agent::start(&options, folder);
            (leaving.join(), new)
        });
        let departure = old.map_err(|_| anyhow::anyhow!("the leaving pod's thread has panicked"))??;
        departure.ensure_acknowledged()?;
        group.members.remove("web-1")?;
        group.pods.push(baton_tests::group::Pod { agent: new?, app: None });
        group.check()
    })
}
