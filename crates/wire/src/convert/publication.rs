//! Messages of channels.

use bytes::Bytes;

use crate::convert::WireError;
use crate::peer as wire;

/// The longest name of a channel, in bytes.
pub const MAX_CHANNEL_BYTES: usize = 1024;

/// The longest message of a channel, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// A channel and a message of it, copied out of the receive buffer.
pub fn publication_from_wire(publication: &wire::Publication) -> Result<(Bytes, Bytes), WireError> {
    let wire::Publication { channel, payload } = publication;
    if channel.len() > MAX_CHANNEL_BYTES {
        return Err(WireError::Malformed("the name of a channel"));
    }
    if payload.len() > MAX_MESSAGE_BYTES {
        return Err(WireError::Malformed("a message of a channel"));
    }
    Ok((Bytes::copy_from_slice(channel), Bytes::copy_from_slice(payload)))
}

/// A message for the wire.
pub const fn publication_to_wire(channel: Bytes, payload: Bytes) -> wire::Publication {
    wire::Publication { channel, payload }
}
