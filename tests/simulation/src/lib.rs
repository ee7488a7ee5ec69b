//! The whole protocol in virtual time: agents around the pure core of `baton-replica`, an operator, a kubelet, apps and
//! their clients, and every fault there is, from one seed.
//!
//! A seed draws a profile, a schedule of actions, and the delays of everything in between; the same seed gives the same
//! run, byte for byte. A run has a phase with faults and one without, in which all must come to rest. The rules that are
//! checked are in `invariant`, one file each.

mod agent;
#[cfg(feature = "mutants")]
mod hunt;
mod invariant;
mod minimise;
mod network;
mod operator;
mod oracle;
mod pod;
mod profile;
mod queue;
mod rng;
mod run;
mod scene;
mod schedule;
mod sweep;
mod trace;
mod world;

#[cfg(feature = "mutants")]
pub use hunt::{Hunt, hunt, mutants, tell_mutant};
pub use invariant::{Invariant, Violation};
pub use run::{Run, run};
pub use sweep::{Sweep, print_failure, sweep, tell};
