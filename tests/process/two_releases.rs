//! Agents of two releases work together in one group: what one of them has accepted is handed off to the other, both ways.
//!
//! `two_releases.commit` says which commit stands for the release before; `cargo xtask test` builds its agent.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use baton_tests::group::Group;
use baton_tests::scene::{self, Failure};

/// The agent of the release before, as a program.
const BEFORE: &str = "BATON_AGENT_BEFORE";

const PODS: usize = 3;

#[test]
#[ignore = "needs the agent of the release before in BATON_AGENT_BEFORE, as `cargo xtask test` builds it"]
fn a_rollout_to_the_next_release_and_back_loses_nothing() -> Result<(), Failure> {
    scene::run(|folder| {
        let before = std::env::var_os(BEFORE).map(PathBuf::from);
        let before = before.with_context(|| format!("{BEFORE} names no program"))?;
        let mut group = Group::new(folder);
        group.run_agents_of(Some(&before));
        let mut group = group.with_pods(PODS)?;
        group.start_apps("");
        // Forth, and back again: in between, members of both releases replicate what is written at all of them.
        for release in [None, Some(before.as_path())] {
            group.run_agents_of(release);
            for _ in 0..PODS {
                group.play(Duration::from_secs(1));
                group.replace_oldest("")?;
            }
        }
        group.play(Duration::from_secs(1));
        group.check()
    })
}
