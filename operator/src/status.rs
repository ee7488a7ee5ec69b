//! What the operator says about a group: counts, conditions, and events.

mod condition;
mod departure;
mod derive;
mod newest;
mod news;
mod reporter;
mod safety;
mod trouble;
mod workload;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use condition::{Kind, Reason};
pub use derive::{Observation, derive};
pub use newest::Newest;
pub use reporter::Reporter;
