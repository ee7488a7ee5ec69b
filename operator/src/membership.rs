//! Who is a member of a group: decided by a pure function, written to the Membership object.
//!
//! [`decide()`] takes what the API server and the agents have told and answers with the next version of the
//! list, if it must change. [`Scribe`] owns the IO around it: one task per group.

mod check;
mod decide;
mod first;
mod forget;
mod hearsay;
mod retire;
mod scribe;
mod size;
mod store;

#[cfg(test)]
mod tests;

pub use check::{PodCheck, Verdict};
pub use decide::{Decision, Draft, PodRef, Situation, decide};
pub use first::StartedEmpty;
pub use forget::Unreached;
pub use scribe::Scribe;
pub use size::ListSize;
