//! The gRPC contracts between agents and operator, and their conversions to the replica's types.
//!
//! Everything that arrives from the network passes through [`convert`]; what it refuses never reaches
//! a state machine.

#[cfg(feature = "services")]
mod codec;
pub mod convert;
pub mod handshake;
pub mod weight;

pub use generated::baton::{directory::v1 as directory, identity::v1 as identity, peer::v1 as peer};

#[allow(missing_docs, clippy::all, unreachable_pub)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/baton.rs"));
}
