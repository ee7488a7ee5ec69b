//! The smallest schedule that still breaks the rule: actions are left out, group by group, as long as the run fails.

use std::cell::Cell;

use crate::invariant::Violation;
use crate::run::{Run, draw, run_plan};
use crate::schedule::Planned;

/// A failure in as few actions as were found.
#[derive(Debug)]
pub(crate) struct Minimal {
    /// What still breaks.
    pub(crate) violation: Violation,
    /// What the seed has drawn.
    pub(crate) profile: String,
    /// How many actions the seed has, and how many are left.
    pub(crate) actions: (usize, usize),
    /// What happens in it.
    pub(crate) lines: Vec<String>,
}

/// Leaves actions out of a failing seed, in at most so many tries, so that the same seed gives the same smallest schedule
/// on every machine; `None` if it does not fail.
pub(crate) fn minimise(seed: u64, tries: usize) -> Option<Minimal> {
    let (profile, all) = draw(seed);
    let violation = |plan: &[Planned]| run_plan(seed, profile.clone(), plan.to_vec(), false).violation;
    let broken = violation(&all)?.invariant;
    let left = Cell::new(tries);
    let fails = |plan: &[Planned]| {
        left.set(left.get() - 1);
        violation(plan).is_some_and(|violation| violation.invariant == broken)
    };
    let mut plan = all.clone();
    let mut size = plan.len().div_ceil(2);
    while size > 0 && left.get() > 0 {
        let before = plan.len();
        let mut at = 0;
        while at < plan.len() && left.get() > 0 {
            let end = (at + size).min(plan.len());
            let rest: Vec<Planned> = plan[..at].iter().chain(&plan[end..]).copied().collect();
            if fails(&rest) {
                plan = rest;
            } else {
                at = end;
            }
        }
        if size == 1 && plan.len() == before {
            break;
        }
        size = if size == 1 { 1 } else { size.div_ceil(2) };
    }
    let left = plan.len();
    let Run { violation, lines, .. } = run_plan(seed, profile.clone(), plan, true);
    Some(Minimal { violation: violation?, profile: format!("{profile:?}"), actions: (all.len(), left), lines })
}
