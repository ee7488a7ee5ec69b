//! Conversions between wire messages and the replica's types.
//!
//! What comes from a peer or the operator is checked here, once. Keys and values are copied out of the receive
//! buffer, so that a small value does not keep a large frame alive.

mod identity;
mod membership;
mod publication;
mod settings;
mod shard;

pub use identity::{Identified, identity_from_wire};
pub use membership::{OF_FILE, are_ordered, membership_from_wire, membership_to_wire, phase_from_wire, phase_to_wire};
pub use publication::{MAX_CHANNEL_BYTES, MAX_MESSAGE_BYTES, publication_from_wire, publication_to_wire};
pub use shard::{shard_message_from_wire, shard_message_to_wire};

/// A message that no agent of this project sends; nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A required part is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A part has a value that it cannot have.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// A key is not a key.
    #[error(transparent)]
    Key(#[from] baton_replica::KeyError),
    /// Entries are not what they should be.
    #[error(transparent)]
    Packed(#[from] baton_replica::Malformed),
}
