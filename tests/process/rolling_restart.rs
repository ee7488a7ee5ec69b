//! Every write that an agent accepted before its app exited survives when each pod is replaced, the new one first.

use std::time::Duration;

use baton_tests::group::Group;
use baton_tests::link::Weather;
use baton_tests::scene::{self, Failure};

const NEAR: Weather = Weather { delay: Duration::ZERO, bytes_per_second: 1_000_000_000 };
const FAR: Weather = Weather { delay: Duration::from_millis(50), bytes_per_second: 1_000_000 };

#[test]
fn a_rolling_restart_of_three_under_writers_loses_nothing() -> Result<(), Failure> {
    restart_all("", NEAR)
}

/// Without acks, and with writes under way all the time, a write is safe only because its pod hands it off.
#[test]
fn a_rolling_restart_loses_nothing_that_was_written_without_acks() -> Result<(), Failure> {
    restart_all("?acks=0", FAR)
}

/// Nobody is left who was there at the beginning: what the first pods wrote is handed on by pods that never knew them.
#[test]
fn a_group_outlives_all_of_its_first_members_twice() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_weather(NEAR).with_pods(2)?;
        group.start_apps("");
        for _ in 0..5 {
            group.play(Duration::from_millis(300));
            group.replace_oldest("")?;
        }
        group.check()
    })
}

fn restart_all(query: &'static str, weather: Weather) -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_weather(weather).with_pods(3)?;
        group.start_apps(query);
        for _ in 0..3 {
            group.play(Duration::from_secs(1));
            group.replace_oldest(query)?;
        }
        group.play(Duration::from_secs(1));
        group.check()
    })
}
