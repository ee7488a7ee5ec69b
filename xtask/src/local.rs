//! Baton without Kubernetes: agents and arenas as processes on loopback, with a members file.
//!
//! A [`Fleet`] stands in for a Deployment: its pods are replaced one by one, the new one first, and each of them
//! ends in the order that the kubelet follows.

mod fleet;
mod members;
mod pod;
mod port;
mod probe;
mod process;

pub(crate) use fleet::{Fleet, Programs};
pub(crate) use members::Members;
pub(crate) use pod::Handoff;
pub(crate) use port::free as free_port;
pub(crate) use probe::wait as wait_for_probe;
pub(crate) use process::Process;
