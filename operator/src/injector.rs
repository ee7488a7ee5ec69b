//! The mutating webhook that puts an agent into pods.
//!
//! [`inject()`] is pure: the pod as it is in, the pod as it should be out; the JSON patch is their difference.

mod container;
mod grace;
mod inject;
mod mesh;
mod review;
mod webhook;

#[cfg(test)]
mod tests;

pub(crate) use container::{ADMIN, PEER, agent, volumes};
pub use grace::grace_seconds;
pub(crate) use inject::DEFAULT_GRACE;
pub use inject::{Defaults, Injection, inject};
pub use webhook::{Injector, router};
