//! The gRPC contract of apps: `baton.v1.State`, for the agent that serves it and for clients in Rust.

mod codec;

pub use generated::*;

/// The contract as protobuf describes it, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

#[allow(missing_docs, clippy::all, unreachable_pub)]
mod generated {
    tonic::include_proto!("baton.v1");
}
