//! What the replica state machine promises, proven on whole groups of replicas under faults.
//!
//! One file for each invariant of the protocol, one for random schedules of everything at once, and one for each family
//! of mistakes that lost data elsewhere. `BATON_SEEDS=n` and `BATON_FIRST_SEED=n` widen the random schedules.

mod harness;

mod acknowledgement;
mod bootstrap;
mod convergence;
mod counter;
mod deletion;
mod departure;
mod handoff;
mod input;
mod join;
mod listing;
mod liveness;
#[cfg(feature = "mutants")]
mod mutant;
mod operation;
mod ownership;
mod reissue;
mod restart;
mod seeds;
mod subscription;
mod tombstone;
mod transfer;
mod window;
