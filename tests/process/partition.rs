//! While no link carries anything, every pod goes on for its own app; afterwards all hold everything.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::group::Group;
use baton_tests::link::Weather;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};

const FAST: Weather = Weather { delay: Duration::ZERO, bytes_per_second: 1_000_000_000 };
#[test]
fn what_was_written_on_both_sides_of_a_partition_is_everywhere_afterwards() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_weather(FAST).with_pods(3)?;
        group.start_apps("?acks=0");
        group.play(Duration::from_secs(1));
        set_cut(&group, true);
        wait_for_links(&group, 0)?;
        let before = group.ledger.acknowledged();
        wait::until(PATIENCE, "apps write in a partition", || {
            let during = group.ledger.acknowledged() - before;
            ensure!(during > 50, "{during} writes were acknowledged");
            Ok(())
        })?;
        set_cut(&group, false);
        wait_for_links(&group, 6)?;
        group.check()
    })
}

fn set_cut(group: &Group, cut: bool) {
    group.links.iter().for_each(|link| link.set_cut(cut));
}

/// Each link has two ends.
fn wait_for_links(group: &Group, wanted: usize) -> Result<()> {
    wait::until(PATIENCE, &format!("{wanted} ends of links are up"), || {
        let mut linked = 0;
        for pod in &group.pods {
            linked += pod.agent.status()?.members.iter().filter(|member| member.link).count();
        }
        ensure!(linked == wanted, "{linked} are");
        Ok(())
    })
}
