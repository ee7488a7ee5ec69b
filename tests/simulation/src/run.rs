//! One run of one seed.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::invariant::{Invariant, Violation};
use crate::profile::Profile;
use crate::rng::Rng;
use crate::schedule::{self, Planned};
use crate::trace::Trace;
use crate::world::World;

/// How a run went.
#[derive(Debug)]
pub struct Run {
    /// The rule that it broke, if any.
    pub violation: Option<Violation>,
    /// A hash of everything that happened.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// What happened, if it was asked for.
    pub lines: Vec<String>,
}

// === impl Run ===

impl Run {
    /// Another run of the same seed must be the same.
    pub(crate) fn compare(&mut self, other: &Self) {
        if self.hash != other.hash {
            self.violation = Some(Violation::chance());
        }
    }
}

/// Runs a seed.
pub fn run(seed: u64) -> Run {
    let (profile, plan) = draw(seed);
    run_plan(seed, profile, plan, false)
}

/// Runs a seed and writes down what happens.
pub(crate) fn run_written(seed: u64) -> Run {
    let (profile, plan) = draw(seed);
    run_plan(seed, profile, plan, true)
}

/// What a seed means.
pub(crate) fn draw(seed: u64) -> (Profile, Vec<Planned>) {
    let mut profile = Profile::draw(&mut Rng::fork(seed, 1));
    profile.enlarge(&mut Rng::fork(seed, 4));
    profile.vary(&mut Rng::fork(seed, 5));
    let plan = schedule::draw(&mut Rng::fork(seed, 2), &profile);
    (profile, plan)
}

/// Runs the schedule of a seed, or what is left of it.
pub(crate) fn run_plan(seed: u64, profile: Profile, plan: Vec<Planned>, written: bool) -> Run {
    let mut world = World::new(seed, profile, plan, Trace::new(written));
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    let violation = match outcome {
        Ok(outcome) => outcome.err(),
        Err(panic) => Some(Violation { invariant: Invariant::Input, text: format!("panic: {}", words(&*panic)) }),
    };
    let events = world.events();
    let trace = std::mem::take(&mut world.trace);
    let hash = trace.hash();
    Run { violation, hash, events, lines: trace.into_lines() }
}

fn words(panic: &dyn Any) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
