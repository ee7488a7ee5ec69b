//! Somebody who listens.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::channel::mailbox::Mailbox;
use crate::channel::{By, CutOff, Delivery, MAX_SUBSCRIPTIONS};
use crate::engine::Engine;

/// There are as many subscriptions as there may be; this one was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this agent has {MAX_SUBSCRIPTIONS} subscriptions, and there may be no more")]
pub(crate) struct TooManySubscriptions;

/// Somebody who listens; with it end its subscriptions.
pub(crate) struct Subscriber {
    engine: Arc<Engine>,
    mailbox: Arc<Mailbox>,
    channels: BTreeSet<Bytes>,
    patterns: BTreeSet<Bytes>,
}

// === impl Subscriber ===

impl Subscriber {
    /// One that listens to nothing yet.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, mailbox: Arc::default(), channels: BTreeSet::new(), patterns: BTreeSet::new() }
    }

    /// Listens to a channel, from now on.
    pub(crate) fn subscribe(&mut self, channel: Bytes) -> Result<(), TooManySubscriptions> {
        if !self.channels.contains(&channel) {
            self.engine.channels().enter(By::Channel, &channel, &self.mailbox)?;
            self.channels.insert(channel);
        }
        Ok(())
    }

    /// Listens to all channels of a pattern, from now on.
    pub(crate) fn subscribe_pattern(&mut self, pattern: Bytes) -> Result<(), TooManySubscriptions> {
        if !self.patterns.contains(&pattern) {
            self.engine.channels().enter(By::Pattern, &pattern, &self.mailbox)?;
            self.patterns.insert(pattern);
        }
        Ok(())
    }

    /// Does not listen to a channel any more; what has come is still there.
    pub(crate) fn unsubscribe(&mut self, channel: &Bytes) {
        if self.channels.remove(channel) {
            self.engine.channels().leave(By::Channel, channel, &self.mailbox);
        }
    }

    /// Does not listen to a pattern any more.
    pub(crate) fn unsubscribe_pattern(&mut self, pattern: &Bytes) {
        if self.patterns.remove(pattern) {
            self.engine.channels().leave(By::Pattern, pattern, &self.mailbox);
        }
    }

    /// The channels that it listens to by their names.
    pub(crate) const fn channels(&self) -> &BTreeSet<Bytes> {
        &self.channels
    }

    /// The patterns that it listens to.
    pub(crate) const fn patterns(&self) -> &BTreeSet<Bytes> {
        &self.patterns
    }

    /// How many channels and patterns it listens to.
    pub(crate) fn count(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// What has come already.
    pub(crate) fn try_next(&self) -> Result<Option<Delivery>, CutOff> {
        self.mailbox.try_take()
    }

    /// What comes next; waits for it. Nothing is lost if the wait is given up.
    pub(crate) async fn next(&self) -> Result<Delivery, CutOff> {
        self.mailbox.take().await
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let channels = self.engine.channels();
        self.channels.iter().for_each(|channel| channels.leave(By::Channel, channel, &self.mailbox));
        self.patterns.iter().for_each(|pattern| channels.leave(By::Pattern, pattern, &self.mailbox));
    }
}
