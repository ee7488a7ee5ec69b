//! Two that leave at once do not count on each other: what they hold is with the one that stays.

use std::time::Duration;

use anyhow::Result;
use baton_tests::group::Group;
use baton_tests::link::Weather;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::PATIENCE;

/// Acks of old are under way while both are told to leave.
const FAR: Weather = Weather { delay: Duration::from_millis(80), bytes_per_second: 1_000_000 };

#[test]
fn two_of_three_that_leave_at_once_hand_off_to_the_one_that_stays() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_weather(FAR).with_pods(3)?;
        group.start_apps("?acks=0");
        group.play(Duration::from_secs(1));
        let mut leaving = [group.pods.remove(0), group.pods.remove(0)];
        let names = leaving.each_ref().map(|pod| pod.agent.name().to_owned());
        group.members.mark_leaving(&names.each_ref().map(String::as_str))?;
        let limit = PATIENCE;
        let departures = std::thread::scope(|scope| {
            let ends = leaving.each_mut().map(|pod| scope.spawn(move || pod.end(limit)));
            ends.map(|end| end.join())
        });
        for departure in departures {
            departure.map_err(|_| anyhow::anyhow!("a pod's thread has panicked"))??.ensure_acknowledged()?;
        }
        for name in &names {
            group.members.remove(name)?;
        }
        group.check()
    })
}
