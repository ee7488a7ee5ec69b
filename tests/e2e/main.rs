//! The end-to-end suite: Baton on a real Kubernetes, with players at work and faults in pods, nodes and control plane.
//!
//! `cargo xtask test --only e2e` brings the cluster up and runs it. Each scenario has a namespace of its own and a folder
//! `target/e2e/<word>/` with the logs of its agents. Scenarios run beside each other unless their fault is felt by all.

mod agent_upgrade;
mod all_pods;
mod app_crash;
mod command_line;
mod completion;
mod control_plane_outage;
mod crash;
mod deletion;
mod deployment_first;
mod eviction;
mod failed_handoff;
mod force_deletion;
mod forgotten;
mod frozen_survivor;
mod half_leaves;
mod identity;
mod in_place_restart;
mod injection;
mod keepers;
mod kubelet_restart;
mod last_word;
mod lone_pod;
mod lost_membership;
mod misfit;
mod no_overlap;
mod node_drain;
mod node_loss;
mod oom_kill;
mod operator_away;
mod operator_death;
mod operator_rollout;
mod partition;
mod refused_group;
mod release;
mod rollback;
mod rollout;
mod scaling;
mod set;
mod strategy;
mod stubborn_app;
mod webhook_garbage;
mod webhook_rotation;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use baton_tests::cluster::Cluster;
use baton_tests::place;
use baton_tests::scenario::{self, Scenario};
use baton_tests::scene::Failure;
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};

/// More would starve each other on a small machine.
const BESIDE: usize = 4;

/// The longest first, and those that run alone last.
const SCENARIOS: [Scenario; 56] = [
    keepers::REPLACED,
    failed_handoff::SCALE_TO_ZERO,
    keepers::SCALE_TO_ZERO,
    keepers::RECREATE,
    rollout::SCENARIO,
    command_line::SCENARIO,
    release::SCENARIO,
    webhook_rotation::SCENARIO,
    forgotten::SCENARIO,
    partition::SCENARIO,
    agent_upgrade::SCENARIO,
    rollback::SCENARIO,
    strategy::ONE_LESS,
    strategy::TWO_LESS,
    stubborn_app::SCENARIO,
    no_overlap::RECREATE,
    no_overlap::STATEFUL_SET,
    set::STATEFUL_SET,
    set::DAEMON_SET,
    half_leaves::SCENARIO,
    frozen_survivor::SCENARIO,
    lone_pod::SCENARIO,
    in_place_restart::SCENARIO,
    identity::SCENARIO,
    failed_handoff::BARE_POD,
    scaling::SCENARIO,
    eviction::SCENARIO,
    completion::CONFIRMED,
    completion::ADOPTED,
    last_word::SCENARIO,
    deployment_first::SCENARIO,
    lost_membership::SCENARIO,
    all_pods::SCENARIO,
    crash::AGENT,
    crash::BOTH,
    oom_kill::SCENARIO,
    force_deletion::SCENARIO,
    app_crash::SCENARIO,
    deletion::SCENARIO,
    misfit::SCENARIO,
    injection::SCENARIO,
    refused_group::SCENARIO,
    webhook_garbage::SCENARIO,
    node_drain::ONE_NODE,
    node_drain::TWO_OF_THREE,
    kubelet_restart::SCENARIO,
    node_loss::SCENARIO,
    node_loss::ONLY_POD,
    keepers::NODE_LOSS,
    operator_away::SCENARIO,
    operator_death::HOLDER,
    operator_death::BESIDE,
    operator_rollout::SCENARIO,
    identity::rotation::SCENARIO,
    control_plane_outage::API_SERVER,
    control_plane_outage::ETCD,
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(BESIDE);
    let skip = std::env::var_os("BATON_E2E").is_some_and(|value| value == "skip");
    if skip {
        eprintln!("BATON_E2E=skip: no scenario is run");
    }
    if skip || arguments.list {
        let ignored =
            SCENARIOS.iter().map(|scenario| Trial::test(scenario.sentence, || Ok(())).with_ignored_flag(true));
        return libtest_mimic::run(&arguments, ignored.collect()).exit_code();
    }
    match run(&arguments) {
        Ok(conclusion) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Conclusion> {
    let cluster = Arc::new(Cluster::connect(&place::folder("e2e", "suite")?)?);
    let trial = |scenario: &Scenario| {
        let (scenario, cluster) = (*scenario, cluster.clone());
        Trial::test(scenario.sentence, move || {
            scenario.perform(&cluster).map_err(|error| Failed::from(format!("{:?}", Failure::from(error))))
        })
    };
    let conclusion = libtest_mimic::run(arguments, SCENARIOS.iter().map(trial).collect());
    cluster.api.close();
    if let Some(file) = std::env::var_os("BATON_E2E_REPORT") {
        scenario::report(Path::new(&file))?;
    }
    Ok(conclusion)
}
