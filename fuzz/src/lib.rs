//! What a hostile peer or client can send, as functions of bytes.
//!
//! Each target takes any bytes, decodes them as an agent does, feeds what comes of it to the state machine that it is
//! meant for, and panics if that panics or takes more memory than [`meter`] states. libFuzzer drives the same functions
//! that the tests of this package drive over the committed seeds and thousands of their mutations.

pub mod corpus;
pub mod directory;
pub mod frame;
pub mod identity;
pub mod key;
pub mod membership;
pub mod meter;
pub mod mutation;
mod replica;
pub mod resp;
pub mod shard;
pub mod weight;

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder of seeds.
    pub name: &'static str,
    /// Handles one input.
    pub run: fn(&[u8]),
    /// Says what an input is.
    pub show: fn(&[u8]) -> String,
    /// Makes its seeds, by name.
    pub seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
}

/// All targets.
pub const TARGETS: [Target; 8] = [
    Target { name: "directory", run: directory::run, show: directory::show, seeds: directory::seeds },
    Target { name: "frame", run: frame::run, show: frame::show, seeds: frame::seeds },
    Target { name: "identity", run: identity::run, show: identity::show, seeds: identity::seeds },
    Target { name: "key", run: key::run, show: key::show, seeds: key::seeds },
    Target { name: "membership", run: membership::run, show: membership::show, seeds: membership::seeds },
    Target { name: "resp", run: resp::run, show: resp::show, seeds: resp::seeds },
    Target { name: "shard", run: shard::run, show: shard::show, seeds: shard::seeds },
    Target { name: "weight", run: weight::run, show: weight::show, seeds: weight::seeds },
];
