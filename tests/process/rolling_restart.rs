//! Every write that an agent accepted before its app exited survives when each pod is replaced, the new one first.

use std::time::Duration;

use baton_tests::group::Group;
use baton_tests::scene::{self, Failure};

#[test]
fn a_rolling_restart_of_three_under_writers_loses_nothing() -> Result<(), Failure> {
    restart_all("")
}

/// Without acks a write is safe only because its pod hands it off.
#[test]
fn a_rolling_restart_loses_nothing_that_was_written_without_acks() -> Result<(), Failure> {
    restart_all("?acks=0")
}

fn restart_all(query: &'static str) -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(3)?;
        group.start_apps(query);
        for _ in 0..3 {
            group.play(Duration::from_secs(1));
            group.replace_oldest(query)?;
        }
        group.play(Duration::from_secs(1));
        group.check()
    })
}
