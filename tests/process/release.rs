//! A person ends a hold that waits for nobody: at once, as failed, and the end says who ended it.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::group::Group;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};

#[test]
fn a_released_hold_ends_at_once_and_counts_as_failed() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_grace(60).with_pods(1)?;
        group.start_apps("");
        group.play(Duration::from_millis(500));
        let refused = group.pods[0].agent.release()?;
        ensure!(refused.code == Some(3) && refused.stderr.contains("nothing is held"), "{refused:?}");

        let pod = group.pods.remove(0);
        let run_dir = pod.agent.run_dir().to_owned();
        let departure = std::thread::scope(|scope| {
            let release = scope.spawn(move || {
                wait::until(PATIENCE, "something is held, and released", || {
                    let release = baton_tests::agent::command("release", &run_dir)?;
                    ensure!(release.code == Some(0), "{release:?}");
                    Ok(())
                })
            });
            let departure = group.leave(pod)?;
            release.join().map_err(|_| anyhow::anyhow!("the release's thread has panicked"))??;
            anyhow::Ok(departure)
        })?;
        departure.ensure_failed()?;
        ensure!(departure.farewell.released, "it does not say who ended it: {departure:?}");
        Ok(())
    })
}
