//! What the replica state machine promises, proven on whole groups of replicas under faults.
//!
//! One file for each invariant of the protocol, and one for random schedules of everything at once. What lost data elsewhere
//! is in `tests/regression`, which drives groups in the same way. `BATON_SEEDS=n` and `BATON_FIRST_SEED=n` widen the random schedules.

#[allow(dead_code, reason = "the regression tests use the rest")]
mod harness;

mod acknowledgement;
mod ahead;
mod convergence;
mod counter;
mod deletion;
mod descent;
mod exile;
mod handoff;
mod history;
mod input;
mod join;
mod listing;
mod liveness;
#[cfg(feature = "mutants")]
mod mutant;
mod operation;
mod ownership;
mod process;
mod reissue;
mod repair;
mod restart;
mod room;
mod seeds;
mod sending;
mod subscription;
