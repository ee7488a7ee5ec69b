//! The preStop hook is one operation however often it is called, and never hangs on an agent that does not answer.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::agent;
use baton_tests::group::Group;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::PATIENCE;
use rustix::process::Signal;

#[test]
fn calling_the_hook_again_is_the_same_operation() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(2)?;
        group.start_apps("");
        group.play(Duration::from_millis(500));
        let mut leaving = group.pods.remove(0);
        if let Some(app) = leaving.app.take() {
            app.stop()?;
        }
        group.members.mark_leaving(&[leaving.agent.name()])?;
        let hooks = std::thread::scope(|scope| {
            let calls = [0, 1].map(|_| scope.spawn(|| leaving.agent.drain()));
            calls.map(|call| call.join())
        });
        for hook in hooks {
            let hook = hook.map_err(|_| anyhow::anyhow!("a hook's thread has panicked"))??;
            ensure!(hook.code == Some(0), "{hook:?}");
        }
        let late = leaving.agent.drain()?;
        ensure!(late.code == Some(0), "{late:?}");
        let (status, farewell) = leaving.agent.stop(PATIENCE)?;
        ensure!(status.success() && farewell.outcome == "acknowledged", "{status} {farewell:?}");
        group.check()
    })
}

#[test]
fn a_hook_whose_agent_is_frozen_fails() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(1)?;
        let agent = &mut group.pods[0].agent;
        agent.process().signal(Signal::STOP)?;
        let hook = agent.drain()?;
        ensure!(hook.code == Some(1), "{hook:?}");
        ensure!(hook.stderr.contains("no answer within 2 s"), "{hook:?}");
        agent.process().signal(Signal::CONT)
    })
}

#[test]
fn a_hook_without_an_agent_fails() -> Result<(), Failure> {
    scene::run(|folder| {
        let hook = agent::drain(&folder.join("nobody"))?;
        ensure!(hook.code == Some(1), "{hook:?}");
        ensure!(hook.stderr.contains("no agent answers"), "{hook:?}");

        // The socket of a process that has crashed is still there.
        let mut group = Group::new(folder).with_pods(1)?;
        let agent = &mut group.pods[0].agent;
        agent.process().kill()?;
        ensure!(agent.run_dir().join("control.sock").exists(), "the socket is gone");
        let hook = agent.drain()?;
        ensure!(hook.code == Some(1), "{hook:?}");
        Ok(())
    })
}
