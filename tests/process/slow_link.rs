//! The hook is held for as long as the network needs, and no longer; what it could not carry in time is counted.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::bulk::Bulk;
use baton_tests::group::{Group, Pod};
use baton_tests::link::Weather;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};

/// Two megabytes take eight seconds.
const THIN: Weather = Weather { delay: Duration::from_millis(100), bytes_per_second: 250_000 };
const BULK: Bulk = Bulk { keys: 500, bytes: 4_000 };
/// It takes 24 seconds.
const LARGE: Bulk = Bulk { bytes: 12_000, ..BULK };

#[test]
fn the_hook_is_held_until_a_thin_link_has_carried_everything() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_weather(THIN).with_pods(2)?;
        let pod = write(BULK, &mut group)?;
        let hook = pod.agent.drain()?;
        ensure!(hook.code == Some(0), "{hook:?}");
        let missing = BULK.missing(&group.pods[0].agent)?;
        ensure!(missing == 0, "the hook has returned, and {missing} keys are on their way: {hook:?}");
        group.leave(pod)?.ensure_acknowledged()?;
        BULK.ensure_on(&group.pods[0].agent, 0)
    })
}

#[test]
fn what_a_thin_link_cannot_carry_in_time_is_reported_as_lost() -> Result<(), Failure> {
    scene::run(|folder| {
        // Of six seconds the hook has three.
        let mut group = Group::new(folder).with_grace(6).with_weather(THIN).with_pods(2)?;
        let pod = write(LARGE, &mut group)?;
        let departure = group.leave(pod)?;
        departure.ensure_failed()?;
        let missing = LARGE.missing(&group.pods[0].agent)? as u64;
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
        wait::until(PATIENCE, "both hold everything", || BULK.ensure_on(&group.pods[1].agent, 0))?;

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
        wait::until(PATIENCE, "the joiner holds what is there and nothing else", || BULK.ensure_on(&joiner, deleted))
    })
}

/// The oldest pod, at which more was written than its link has carried.
fn write(bulk: Bulk, group: &mut Group) -> Result<Pod> {
    let pod = group.pods.remove(0);
    bulk.write(&pod.agent, "?acks=0")?;
    let missing = bulk.missing(&group.pods[0].agent)?;
    ensure!(missing > 0, "nothing was under way: this proves nothing");
    Ok(pod)
}
