//! While no link carries anything, every pod goes on for its own app; afterwards all hold everything.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::group::Group;
use baton_tests::link::Weather;
use baton_tests::scene::{self, Failure};
use baton_tests::wait;

const FAST: Weather = Weather { delay: Duration::ZERO, bytes_per_second: 1_000_000_000 };
/// More than an agent takes to give its links up.
const CUT: Duration = Duration::from_secs(8);

#[test]
fn what_was_written_on_both_sides_of_a_partition_is_everywhere_afterwards() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_weather(FAST).with_pods(3)?;
        group.start_apps("?acks=0");
        group.play(Duration::from_secs(1));
        set_cut(&group, true);
        group.play(CUT);
        let linked = links(&group)?;
        ensure!(linked == 0, "{linked} links are said to be up, and nothing passes");
        let before = group.ledger.acknowledged();
        group.play(Duration::from_secs(1));
        ensure!(group.ledger.acknowledged() > before, "nobody can write in a partition");

        set_cut(&group, false);
        wait::until(Duration::from_secs(20), "all links are up again", || {
            let linked = links(&group)?;
            ensure!(linked == 6, "{linked} of 6 ends are");
            Ok(())
        })?;
        group.check()
    })
}

fn set_cut(group: &Group, cut: bool) {
    group.links.iter().for_each(|link| link.set_cut(cut));
}

fn links(group: &Group) -> Result<usize> {
    let mut count = 0;
    for pod in &group.pods {
        count += pod.agent.status()?.members.iter().filter(|member| member.link).count();
    }
    Ok(count)
}
