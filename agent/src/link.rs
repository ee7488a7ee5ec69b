//! Links between agents: one gRPC stream a pair, all shards in it.
//!
//! Either side may dial. Of two links between the same pair the one that the lower replica id dialled stays, which both
//! sides decide alike; so the higher id waits a moment before it dials.

mod accept;
mod dial;
mod hello;
mod session;

pub(crate) use accept::serve;
pub(crate) use dial::run as dial;
pub(crate) use hello::member_phase;

use std::time::Duration;

/// The wire format of this release.
const PROTOCOL: u32 = 1;

/// How long a peer may take to say who it is.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a link says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A link on which nothing arrived for this long is dead: five heartbeats lost.
const SILENCE: Duration = Duration::from_secs(5);

/// Frames between a session and the transport: enough to keep it busy, few enough that a slow peer holds little.
const OUTBOX_FRAMES: usize = 8;

/// The largest frame taken: a batch of one entry with sixteen siblings of the largest value (4 MiB) fits.
const MAX_FRAME_BYTES: usize = 72 * 1024 * 1024;

/// HTTP/2 windows: a full batch of every shard in flight.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
