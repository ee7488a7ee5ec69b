//! Links between agents: one gRPC stream a pair, all shards in it.
//!
//! Either side may dial. Of two links between the same pair the one that the lower replica id dialled stays, which both
//! sides decide alike; so the higher id waits a moment before it dials.

mod accept;
mod dial;
mod hello;
mod order;
mod pulse;
mod refused;
mod session;
#[cfg(test)]
mod tests;

pub(crate) use accept::serve;
pub(crate) use dial::run as dial;
pub(crate) use hello::member_phase;

use std::time::Duration;

/// How long a peer may take to say who it is.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the dialler says that it is alive, which the other side answers. With TCP's and IP's headers one exchange is
/// some 230 bytes in plain text, and 44 more with TLS: an idle pair sends some 92 bytes a second.
const HEARTBEAT: Duration = Duration::from_millis(3_000);

/// After how long without having been asked the other side says so by itself: the dialler's heartbeat may be behind a large
/// frame of its own. Late enough that an idle pair does not say it twice.
const UNASKED: Duration = Duration::from_millis(3_500);

/// A link on which no byte arrived for this long is dead. Bytes are not lost while a connection lives, only late: this
/// leaves a busy machine three seconds, and one that is sent a large frame half a second less.
const SILENCE: Duration = Duration::from_millis(6_000);

/// Frames between a session and the transport: enough to keep it busy, few enough that a slow peer holds little.
const OUTBOX_FRAMES: usize = 8;

/// The largest frame taken: a batch of one entry with sixteen siblings of the largest value (4 MiB) fits.
const MAX_FRAME_BYTES: usize = 72 * 1024 * 1024;

/// HTTP/2 windows: a full batch of every shard in flight.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
