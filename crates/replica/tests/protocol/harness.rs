//! A group of replicas, an operator and a network in one process, driven one step at a time.
//!
//! Nothing here reads a clock or draws a random number: a schedule is plain data, and the same schedule gives the same run.

mod exchange;
mod network;
mod node;
mod operate;
mod operator;
mod oracle;
mod schedule;
mod settle;
mod world;

pub(crate) use operate::drive;
pub(crate) use operator::list;
pub(crate) use oracle::live_state;
pub(crate) use schedule::{Chances, Schedule, run, schedules};
pub(crate) use world::{World, key, roomy, tight};

use baton_replica::{Dot, Shard};
use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// So many cases, the same in every run; a failure becomes a named test and not a line in a file.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let (failure_persistence, rng_seed, max_shrink_iters) = (None, RngSeed::Fixed(1), 2_000);
    ProptestConfig { cases, failure_persistence, rng_seed, max_shrink_iters, ..ProptestConfig::default() }
}

/// Dots of listed replicas that a replica holds something of above its clock; they came along in entries of other origins.
pub(crate) fn exceptions(shard: &Shard) -> Vec<Dot> {
    let dots = shard.entries().flat_map(|(_, entry)| {
        let superseded = entry.context().iter().map(|(replica, counter)| Dot { replica, counter });
        entry.versions().iter().map(|version| version.dot).chain(superseded).collect::<Vec<_>>()
    });
    dots.filter(|dot| shard.roster().lists(dot.replica) && !shard.clock().covers(*dot)).collect()
}
