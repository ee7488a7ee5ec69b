//! Keepers: agents without an app, which the operator runs for groups that ask for them.
//!
//! They are a StatefulSet, a PodDisruptionBudget and a NetworkPolicy that the HandoffGroup owns. Their pods are members as
//! any other, and leave by the same handoff: when they are replaced, when there are to be fewer, and when the group is
//! deleted.

mod maker;
mod object;
mod plan;

pub use maker::Maker;
