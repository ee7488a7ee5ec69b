//! Everything at once: all checks on random schedules, many of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::harness::{Chances, Schedule, run, schedules};
use crate::{acknowledgement, convergence, deletion, handoff};

/// Seeds of a plain run; `BATON_SEEDS` asks for more.
const SEEDS: u64 = 300;

/// Steps of a schedule.
const STEPS: usize = 240;

#[test]
fn no_schedule_breaks_an_invariant() {
    let (first, count) = (variable("BATON_FIRST_SEED", 0), variable("BATON_SEEDS", SEEDS));
    for seed in first..first + count {
        if catch_unwind(AssertUnwindSafe(|| check_all(&schedule_of(seed)))).is_err() {
            let smallest = shrink(seed);
            panic!(
                "seed {seed}: BATON_FIRST_SEED={seed} BATON_SEEDS=1 cargo test -p baton-replica --test protocol seeds\n\
                 {smallest:#?}"
            );
        }
    }
}

fn check_all(schedule: &Schedule) {
    let mut deletion = deletion::check();
    let mut world = run(schedule, |world, touched| {
        convergence::check(world, touched);
        handoff::check(world, touched);
        acknowledgement::check(world, touched);
        deletion(world, touched);
    });
    world.settle();
    for id in world.ids() {
        handoff::check(&world, id);
        deletion(&world, id);
    }
    world.assert_settled();
}

fn schedule_of(seed: u64) -> Schedule {
    tree(seed).current()
}

/// The smallest schedule that proptest finds which still fails.
fn shrink(seed: u64) -> Schedule {
    let mut tree = tree(seed);
    let mut smallest = tree.current();
    let mut more = tree.simplify();
    while more {
        let failed = catch_unwind(AssertUnwindSafe(|| check_all(&tree.current()))).is_err();
        if failed {
            smallest = tree.current();
        }
        more = if failed { tree.simplify() } else { tree.complicate() };
    }
    smallest
}

/// Each kind of trouble is frequent in some seeds and absent in others.
fn tree(seed: u64) -> impl ValueTree<Value = Schedule> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let some = |most: u64, shift: u32| ((seed >> shift) % (most + 1)) as u32;
    let chances = Chances {
        put: 10 + some(12, 0),
        delete: some(10, 1),
        cut: 1 + some(8, 2),
        spawn: 1 + some(7, 3),
        crash: some(4, 0),
        leave: some(6, 1),
        replay: some(6, 2),
    };
    schedules(chances, STEPS).new_tree(&mut runner).expect("no filters")
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
