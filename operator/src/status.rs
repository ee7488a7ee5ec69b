//! What the operator says about a group: counts, conditions, and events.

mod condition;
mod derive;
mod reporter;
mod trouble;

#[cfg(test)]
mod tests;

pub use derive::{Observation, derive};
pub use reporter::Reporter;
