//! Messages of channels, to whoever listens: here, and at the peers that are linked.

use std::sync::Arc;

use baton_wire::convert::{MAX_CHANNEL_BYTES, MAX_MESSAGE_BYTES};

use crate::channel::Message;
use crate::engine::Engine;

/// Larger than what is passed on; nobody got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a channel has at most {MAX_CHANNEL_BYTES} bytes, and a message at most {MAX_MESSAGE_BYTES}")]
pub(crate) struct TooLarge;

// === impl Engine ===

impl Engine {
    /// Gives a message to those who listen, here and elsewhere, and says how many there are here.
    pub(crate) fn publish(&self, message: Message) -> Result<usize, TooLarge> {
        if message.channel.len() > MAX_CHANNEL_BYTES || message.payload.len() > MAX_MESSAGE_BYTES {
            return Err(TooLarge);
        }
        let message = Arc::new(message);
        for link in self.links().all() {
            if !link.publish(message.clone()) {
                self.channels().count_dropped();
            }
        }
        Ok(self.channels().deliver(&message))
    }
}
