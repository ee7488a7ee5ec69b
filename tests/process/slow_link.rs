//! The hook is held for as long as the network needs, and no longer; what it could not carry in time is counted.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::bulk::Bulk;
use baton_tests::group::{Departure, Group};
use baton_tests::link::Weather;
use baton_tests::scene::{self, Failure};
use baton_tests::wait;

/// Two megabytes take eight seconds.
const THIN: Weather = Weather { delay: Duration::from_millis(100), bytes_per_second: 250_000 };
const BULK: Bulk = Bulk { keys: 500, bytes: 4_000 };

#[test]
fn the_hook_is_held_until_a_thin_link_has_carried_everything() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_weather(THIN).with_pods(2)?;
        let departure = write_and_leave(&mut group)?;
        departure.ensure_acknowledged()?;
        let held = departure.hook.took;
        ensure!(held > Duration::from_secs(2), "the hook was held for {held:?}: less than the link needs");
        BULK.ensure_on(&group.pods[0].agent, 0)
    })
}

#[test]
fn what_a_thin_link_cannot_carry_in_time_is_reported_as_lost() -> Result<(), Failure> {
    scene::run(|folder| {
        // Of six seconds the hook has three.
        let mut group = Group::new(folder).with_grace(6).with_weather(THIN).with_pods(2)?;
        let departure = write_and_leave(&mut group)?;
        departure.ensure_failed()?;
        let held = departure.hook.took;
        ensure!(held < Duration::from_millis(4_500), "the hook was held for {held:?}, and its deadline is 3 s");
        let missing = BULK.missing(&group.pods[0].agent)? as u64;
        let said = departure.farewell.keys_unacknowledged;
        ensure!(missing > 0 && said >= missing, "{missing} keys are missing, and the agent speaks of {said}");
        Ok(())
    })
}

/// The state of a joiner comes over a thin link, and whom it comes from dies in the middle of it.
#[test]
fn a_joiner_whose_source_dies_halfway_takes_the_state_from_another() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_weather(THIN).with_pods(2)?;
        BULK.write(&group.pods[0].agent, "?acks=0")?;
        wait::until(Duration::from_secs(30), "both hold everything", || BULK.ensure_on(&group.pods[1].agent, 0))?;

        let options = group.announce()?;
        let mut joiner = baton_tests::agent::Agent::spawn(&options, folder)?;
        std::thread::sleep(Duration::from_secs(2));
        let early = joiner.status().is_ok_and(|status| status.phase == "Active");
        ensure!(!early, "it has the state already: the link is too fast to prove anything");
        let mut source = group.pods.remove(0);
        source.agent.process().kill()?;
        group.members.remove(source.agent.name())?;
        let deleted = 100;
        BULK.delete(&group.pods[0].agent, deleted)?;

        joiner.wait_ready()?;
        let limit = Duration::from_secs(20);
        wait::until(limit, "the joiner holds what is there and nothing else", || BULK.ensure_on(&joiner, deleted))
    })
}

fn write_and_leave(group: &mut Group) -> Result<Departure> {
    let pod = group.pods.remove(0);
    BULK.write(&pod.agent, "?acks=0")?;
    let missing = BULK.missing(&group.pods[0].agent)?;
    ensure!(missing > BULK.keys / 4, "only {missing} keys were under way: this proves nothing");
    group.leave(pod)
}
