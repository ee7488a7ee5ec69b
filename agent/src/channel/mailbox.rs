//! What one subscriber has not read yet.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::channel::Message;

/// Bytes that a subscriber may leave unread, as much as Redis lets one for a minute. One larger message fits alone.
const MAX_UNREAD: usize = 8 * 1024 * 1024;

/// A message, and why it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// The pattern that the channel is of; `None` if the subscriber listens to the channel by its name.
    pub(crate) pattern: Option<Bytes>,
    pub(crate) message: Arc<Message>,
}

/// The subscriber has left too much unread, which is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("messages came faster than they were read")]
pub(crate) struct CutOff;

/// Where messages wait for a subscriber.
#[derive(Default)]
pub(super) struct Mailbox {
    unread: Mutex<Unread>,
    arrived: Notify,
}

#[derive(Default)]
struct Unread {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
    cut_off: bool,
}

// === impl Mailbox ===

impl Mailbox {
    /// Adds a message; where there are too many, the subscriber is cut off, which is said once.
    pub(super) fn put(&self, delivery: Delivery) -> bool {
        let mut unread = self.unread.lock();
        if unread.cut_off {
            return false;
        }
        if unread.bytes > 0 && unread.bytes + delivery.size() > MAX_UNREAD {
            *unread = Unread { cut_off: true, ..Unread::default() };
        } else {
            unread.bytes += delivery.size();
            unread.deliveries.push_back(delivery);
        }
        let cut_off = unread.cut_off;
        drop(unread);
        self.arrived.notify_one();
        cut_off
    }

    /// The next message, if there is one.
    pub(super) fn try_take(&self) -> Result<Option<Delivery>, CutOff> {
        let mut unread = self.unread.lock();
        if unread.cut_off {
            return Err(CutOff);
        }
        let delivery = unread.deliveries.pop_front();
        unread.bytes -= delivery.as_ref().map_or(0, Delivery::size);
        Ok(delivery)
    }

    /// The next message; waits for it. Nothing is lost if the wait is given up.
    pub(super) async fn take(&self) -> Result<Delivery, CutOff> {
        loop {
            if let Some(delivery) = self.try_take()? {
                return Ok(delivery);
            }
            self.arrived.notified().await;
        }
    }
}

// === impl Delivery ===

impl Delivery {
    fn size(&self) -> usize {
        size_of::<Self>() + self.message.size()
    }
}
