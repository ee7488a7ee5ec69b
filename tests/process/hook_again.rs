//! A hook that is called after an earlier one has returned answers for what is known by then, whatever the first said.

use anyhow::ensure;
use baton_tests::group::Group;
use baton_tests::http::Http;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::PATIENCE;
use rustix::process::Signal;

/// With a grace period of twelve seconds each hook has seven.
const GRACE: u32 = 12;

#[test]
fn a_hook_after_the_survivor_has_died_is_no_success() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_grace(GRACE).with_pods(2)?;
        let http = Http::new(PATIENCE);
        let mut survivor = group.pods.remove(1);
        let leaving = &group.pods[0].agent;
        let entry = leaving.entry("before");
        ensure!(http.send("PUT", &entry, &[], b"1")?.ok(), "the first write is refused");
        let first = leaving.drain()?;
        ensure!(first.code == Some(0), "{first:?}");

        survivor.agent.process().kill()?;
        // Nobody can acknowledge it; it is made all the same.
        http.send("PUT", &leaving.entry("after"), &[], b"2")?;
        let second = leaving.drain()?;
        ensure!(second.code == Some(1), "a hook says that all is handed off, and nobody else lives: {second:?}");
        Ok(())
    })
}

#[test]
fn a_write_that_was_refused_makes_no_handoff_harder() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(3)?;
        let http = Http::new(PATIENCE);
        let mut frozen = group.pods.remove(2);
        let leaving = &group.pods[0].agent;
        ensure!(http.send("PUT", &leaving.entry("kept"), &[], b"1")?.ok(), "the first write is refused");
        let refused = http.send("PUT", &format!("{}?acks=50", leaving.entry("refused")), &[], b"2")?;
        ensure!(refused.status == 503, "{refused:?}");

        frozen.agent.process().signal(Signal::STOP)?;
        let hook = leaving.drain();
        frozen.agent.process().signal(Signal::CONT)?;
        let hook = hook?;
        ensure!(hook.code == Some(0), "one survivor has everything: {hook:?}");
        Ok(())
    })
}
