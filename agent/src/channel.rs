//! Channels: messages for whoever listens at that moment, on all agents of the group.
//!
//! Nothing is stored, and nobody is waited for. A message goes to the subscribers here and once to each linked peer, which
//! gives it to its own. So each arrives at most once, and what one process publishes arrives in its order. Who does not
//! read loses its subscription; a peer whose link is full misses messages, which are counted.

mod mailbox;
mod subscriber;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;

use crate::glob;
use mailbox::Mailbox;
pub(crate) use mailbox::{CutOff, Delivery};
pub(crate) use subscriber::{Subscriber, TooManySubscriptions};

/// Subscriptions of one process: a name of a kilobyte for each is 64 MiB.
const MAX_SUBSCRIPTIONS: usize = 65_536;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) channel: Bytes,
    pub(crate) payload: Bytes,
}

/// The subscriptions of one process.
#[derive(Default)]
pub(crate) struct Channels {
    listeners: RwLock<Listeners>,
    /// Messages that were not passed on to a peer.
    dropped: AtomicU64,
    /// Subscribers that did not read.
    cut_off: AtomicU64,
}

#[derive(Default)]
struct Listeners {
    by_channel: HashMap<Bytes, Vec<Arc<Mailbox>>>,
    by_pattern: BTreeMap<Bytes, Vec<Arc<Mailbox>>>,
    subscriptions: usize,
}

/// What somebody listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Channel,
    Pattern,
}

// === impl Message ===

impl Message {
    /// What it takes in memory.
    pub(crate) const fn size(&self) -> usize {
        size_of::<Self>() + self.channel.len() + self.payload.len()
    }
}

// === impl Channels ===

impl Channels {
    /// Gives a message to those who listen here, and says how many subscriptions it met.
    pub(crate) fn deliver(&self, message: &Arc<Message>) -> usize {
        let listeners = self.listeners.read();
        let give = |mailboxes: &[Arc<Mailbox>], pattern: Option<&Bytes>| {
            for mailbox in mailboxes {
                if mailbox.put(Delivery { pattern: pattern.cloned(), message: message.clone() }) {
                    self.cut_off.fetch_add(1, Ordering::Relaxed);
                }
            }
            mailboxes.len()
        };
        let exact = listeners.by_channel.get(&message.channel).map_or(0, |mailboxes| give(mailboxes, None));
        let fits = listeners.by_pattern.iter().filter(|(pattern, _)| glob::matches(pattern, &message.channel));
        exact + fits.map(|(pattern, mailboxes)| give(mailboxes, Some(pattern))).sum::<usize>()
    }

    /// Channels to which somebody listens by their name, in no order; those of a pattern, if one is given.
    pub(crate) fn names(&self, pattern: Option<&[u8]>) -> Vec<Bytes> {
        let fits = |name: &&Bytes| pattern.is_none_or(|pattern| glob::matches(pattern, name));
        self.listeners.read().by_channel.keys().filter(fits).cloned().collect()
    }

    /// How many listen to a channel by its name.
    pub(crate) fn listeners_of(&self, channel: &[u8]) -> usize {
        self.listeners.read().by_channel.get(channel).map_or(0, Vec::len)
    }

    /// How many patterns somebody listens to.
    pub(crate) fn patterns(&self) -> usize {
        self.listeners.read().by_pattern.len()
    }

    /// A message was not passed on to a peer.
    pub(crate) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How many messages were not passed on to some peer.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How many subscribers were cut off.
    pub(crate) fn cut_off(&self) -> u64 {
        self.cut_off.load(Ordering::Relaxed)
    }

    /// How many subscriptions there are.
    pub(crate) fn subscriptions(&self) -> usize {
        self.listeners.read().subscriptions
    }

    fn enter(&self, by: By, name: &Bytes, mailbox: &Arc<Mailbox>) -> Result<(), TooManySubscriptions> {
        let mut listeners = self.listeners.write();
        if listeners.subscriptions >= MAX_SUBSCRIPTIONS {
            return Err(TooManySubscriptions);
        }
        listeners.subscriptions += 1;
        let mailboxes = match by {
            By::Channel => listeners.by_channel.entry(name.clone()).or_default(),
            By::Pattern => listeners.by_pattern.entry(name.clone()).or_default(),
        };
        mailboxes.push(mailbox.clone());
        Ok(())
    }

    fn leave(&self, by: By, name: &Bytes, mailbox: &Arc<Mailbox>) {
        let mut listeners = self.listeners.write();
        listeners.subscriptions -= 1;
        let mailboxes = match by {
            By::Channel => listeners.by_channel.get_mut(name),
            By::Pattern => listeners.by_pattern.get_mut(name),
        };
        let Some(mailboxes) = mailboxes else { return };
        mailboxes.retain(|other| !Arc::ptr_eq(other, mailbox));
        if !mailboxes.is_empty() {
            return;
        }
        match by {
            By::Channel => drop(listeners.by_channel.remove(name)),
            By::Pattern => drop(listeners.by_pattern.remove(name)),
        }
    }
}

#[cfg(test)]
mod tests;
