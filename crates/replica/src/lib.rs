//! The replica state machine of Baton: what is stored, how it replicates, when it has been handed off.
//!
//! This crate is pure. It opens no socket, reads no clock and draws no random number: the time and the
//! replica id are parameters, what must be sent is polled, and the same calls give the same result on
//! every machine. The agent is the shell that moves bytes and runs timers around it.
//!
//! A [`Shard`] is one independent replica: feed it with [`Shard::handle`] and the local operations, then
//! drain [`Shard::poll_transmit`] for every linked peer. A [`Lifecycle`] decides when the process as a
//! whole may say "handed off". A [`Roster`] is what both know about the other members.

mod counter;
mod entry;
mod expiry;
mod hlc;
mod id;
mod key;
mod lifecycle;
mod log;
mod membership;
mod message;
mod mutant;
mod operation;
mod packed;
mod preference;
mod roster;
mod shard;
mod store;
mod succession;
mod tag;
mod token;
mod version;
mod vv;

pub use entry::Entry;
pub use hlc::{Hlc, HlcClock};
pub use id::{Dot, ParseReplicaIdError, ReplicaId};
pub use key::{Key, KeyError, MAX_FIELD_BYTES, MAX_KEY_BYTES, MapName, MapNameError};
pub use lifecycle::{Account, Action, Budget, Lifecycle, Outcome, Phase, Progress, Shards, Stage, Surroundings};
pub use membership::{MapLimits, Member, MemberPhase, Membership, MembershipVersion, OnDeparture, Settings};
pub use message::{Applied, Chunk, ChunkItem, Digest, Range, RangeItem, Settle, ShardMessage};
#[cfg(feature = "mutants")]
pub use mutant::{Mutant, with as with_mutant};
pub use operation::{Answer, Condition, Done, Operation, Refusal, Request};
pub use packed::{Malformed, Packed, Packer, unpack};
pub use roster::{Peer, Roster, settle_round};
pub use shard::{
    AckLevel, Adoption, Cleared, Completion, Coverage, Effects, Handover, Limits, LinkId, Listed, MAX_BATCH,
    MAX_BATCH_BYTES, Need, ProtocolError, Read, Rejected, Shard, Sought, Survivor, TooFewMembers, Urgency, Wake,
    WriteError, Written,
};
pub use store::{Change, State, Sum, Usage};
pub use succession::Succession;
pub use tag::{ParseTagError, Tag};
pub use token::{ParseTokenError, Token};
pub use version::{Owner, Value, Version};
pub use vv::VersionVector;
