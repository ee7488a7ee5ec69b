//! A write acknowledged with `acks=1` survives the crash of the process that accepted it.

use std::time::Duration;

use anyhow::Result;
use baton_tests::app::App;
use baton_tests::group::Group;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::PATIENCE;
use rustix::process::Signal;

#[test]
fn what_was_acknowledged_with_one_ack_survives_kill_9() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(3)?;
        group.start_apps("?acks=1");
        group.play(Duration::from_secs(2));

        let mut dead = group.pods.remove(0);
        dead.agent.process().signal(Signal::KILL)?;
        dead.agent.process().wait(PATIENCE)?;
        // Its app goes on for a moment and gets no more answers.
        std::thread::sleep(Duration::from_millis(200));
        let seat = dead.app.take().map(|app| (app.seat(), app.stop()));
        group.play(Duration::from_secs(1));

        group.members.remove(dead.agent.name())?;
        group.add()?;
        if let (Some((seat, stopped)), Some(pod)) = (seat, group.pods.last_mut()) {
            stopped?;
            pod.app = Some(App::start(&pod.agent.url(), "?acks=1", seat, &group.ledger));
        }
        group.play(Duration::from_secs(1));
        group.check()
    })
}
