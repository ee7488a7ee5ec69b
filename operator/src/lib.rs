//! Baton's operator: watches HandoffGroups and pods, tells agents who is a member, injects agents into pods,
//! and says how their handoffs went.
//!
//! Facts flow one way: [`feed`] watches the API server and fills the [`index`]; each group's
//! [`membership::Scribe`] decides from the index and the [`directory`]'s attendance who is a member and writes
//! the Membership object; the watch brings it back into the index, from where the directory's sessions send
//! it to the agents. [`status::Reporter`] and [`injector`] read the same index.

pub mod api;
pub mod args;
mod belonging;
pub mod certificate;
pub mod check;
mod client;
pub mod directory;
pub mod event;
pub mod feed;
#[cfg(test)]
mod fixture;
pub mod groups;
pub mod handoff;
pub mod health;
pub mod identity;
pub mod index;
pub mod injector;
pub mod keeper;
pub mod lease;
pub mod membership;
pub mod metrics;
pub mod run;
mod secret;
pub mod status;
pub mod tls;
mod vital;
mod word;
