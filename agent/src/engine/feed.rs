//! What changes, for whoever watches: one sequence of events, of which the last ones are kept.
//!
//! Every watcher reads the same events at its own pace. Nothing is kept for any of them: one that falls behind what is
//! kept has lost something, is told so, and goes on with what is new. Shards note what changes only while somebody
//! watches, and for a while after, so that a watcher that comes back goes on where it was.

mod event;
mod ring;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use baton_replica::{Effects, ReplicaId, Roster, Shard};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::engine::{Engine, MemberStatus};
pub(crate) use event::{Event, Kind, Position, What};
use ring::{Found, Ring};

/// Watchers at one time: each is a connection of some 20 KiB. One per connection of an app with a thousand of them, and
/// some more.
const MAX_WATCHERS: usize = 2048;

/// How long events are kept when nobody watches any more: an app that starts again, or a client whose connection broke,
/// is back within this.
const KEPT_UNWATCHED: Duration = Duration::from_secs(60);

/// How often watchers are woken at most: what happens within it reaches them in one go.
const GATHER: Duration = Duration::from_millis(1);

/// Events that a watcher takes in one go.
const MAX_TAKEN: usize = 256;

/// The events of one process, and who waits for them.
pub(crate) struct Feed {
    ring: RwLock<Ring>,
    /// Whether shards note what changes. Held while that is switched.
    on: Mutex<bool>,
    /// The same for a look in passing.
    is_on: AtomicBool,
    watchers: AtomicUsize,
    /// Signalled when there are events.
    published: Notify,
    /// What watchers wait for.
    news: watch::Sender<()>,
    /// Signalled when the last watcher has gone.
    unwatched: Notify,
}

/// Somebody who watches.
pub(crate) struct Watcher {
    engine: Arc<Engine>,
    news: watch::Receiver<()>,
    next: Position,
}

/// What a watcher gets next.
pub(crate) enum News {
    /// What happened, in order, after all that it got before.
    Events(Vec<Arc<Event>>),
    /// Something was lost: it has to look at everything anew, and goes on from here.
    Lost,
}

/// There are as many watchers as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_WATCHERS} watches are open, and there may be no more")]
pub(crate) struct TooManyWatchers;

/// Wakes watchers, and stops noting changes when there are none, until the process ends.
pub(crate) async fn tell_watchers(engine: Arc<Engine>) {
    let feed = &engine.feed;
    let wake = async {
        loop {
            feed.published.notified().await;
            feed.news.send_replace(());
            sleep(GATHER).await;
        }
    };
    let rest = async {
        loop {
            feed.unwatched.notified().await;
            // Whoever has come and gone meanwhile starts the time again.
            while timeout(KEPT_UNWATCHED, feed.unwatched.notified()).await.is_ok() {}
            engine.stop_noting();
        }
    };
    futures_util::future::join(wake, rest).await;
}

// === impl Feed ===

impl Feed {
    pub(super) fn new() -> Self {
        Self {
            ring: RwLock::new(Ring::new(rand::random())),
            on: Mutex::new(false),
            is_on: AtomicBool::new(false),
            watchers: AtomicUsize::new(0),
            published: Notify::new(),
            news: watch::Sender::new(()),
            unwatched: Notify::new(),
        }
    }

    fn watchers(&self) -> usize {
        self.watchers.load(Ordering::Relaxed)
    }

    /// What a shard has noted since the last time. Called under the shard's lock, so that the changes of a key are in
    /// order.
    pub(super) fn take_changes(&self, shard: &mut Shard) {
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let changes = shard.take_changes();
        if changes.is_empty() {
            return;
        }
        let me = shard.me();
        self.publish(changes.into_iter().flat_map(|change| What::of_change(change, me)), me);
    }

    /// The members have changed.
    pub(super) fn take_members(&self, number: u64, members: impl FnOnce() -> Vec<MemberStatus>, me: ReplicaId) {
        if self.is_on.load(Ordering::Relaxed) {
            self.publish([What::Members { number, members: members() }].into_iter(), me);
        }
    }

    /// What follows has no connection to what was before: whoever watches must look at everything anew.
    fn interrupt(&self) {
        self.ring.write().interrupt();
        self.published.notify_one();
    }

    fn publish(&self, events: impl Iterator<Item = What>, me: ReplicaId) {
        let mut ring = self.ring.write();
        events.for_each(|what| ring.push(what, me));
        drop(ring);
        self.published.notify_one();
    }
}

// === impl Engine ===

impl Engine {
    /// How many watch.
    pub(crate) fn watchers(&self) -> usize {
        self.feed.watchers()
    }

    /// Watches from now on, or from after an event that the client has seen. Says whether that could be: if not, the
    /// client must look at everything anew.
    pub(crate) fn watch(self: &Arc<Self>, seen: Option<Position>) -> Result<(Watcher, bool), TooManyWatchers> {
        let feed = &self.feed;
        let entered = feed.watchers.fetch_update(Ordering::AcqRel, Ordering::Acquire, |watchers| {
            (watchers < MAX_WATCHERS).then_some(watchers + 1)
        });
        entered.map_err(|_| TooManyWatchers)?;
        self.start_noting();
        let ring = feed.ring.read();
        let resumed = seen.and_then(|seen| ring.after(seen));
        let next = resumed.unwrap_or_else(|| ring.end());
        if seen.is_some() && resumed.is_none() {
            self.counts.resynced();
        }
        let watcher = Watcher { engine: self.clone(), news: feed.news.subscribe(), next };
        Ok((watcher, resumed.is_some()))
    }

    /// Shards of a new life note what changes if those before did, and nothing of before goes on.
    pub(super) fn note_again(&self, replace_shards: impl FnOnce(bool)) {
        let on = self.feed.on.lock();
        replace_shards(*on);
        self.feed.interrupt();
    }

    /// The other members, as one view of them.
    pub(super) fn publish_members(&self, roster: &Roster) {
        let members = || self.members_of(roster);
        self.feed.take_members(self.membership_number(), members, roster.me());
    }

    fn start_noting(&self) {
        let mut on = self.feed.on.lock();
        if !*on {
            *on = true;
            // Before the shards, or what they note first would not be taken.
            self.feed.is_on.store(true, Ordering::Relaxed);
            self.note_in_shards(true);
        }
    }

    /// Stops, unless somebody watches.
    pub(crate) fn stop_noting(&self) {
        let mut on = self.feed.on.lock();
        // A watcher that has been counted will switch it on again.
        if *on && self.feed.watchers() == 0 {
            *on = false;
            self.note_in_shards(false);
            self.feed.is_on.store(false, Ordering::Relaxed);
            self.feed.interrupt();
        }
    }

    fn note_in_shards(&self, on: bool) {
        for index in 0..self.shard_count() {
            self.with_shard(index, None, |shard| {
                shard.watch(on);
                Effects::default()
            });
        }
    }
}

// === impl Watcher ===

impl Watcher {
    /// What comes next; waits for it. Nothing is lost if the wait is given up.
    pub(crate) async fn next(&mut self) -> News {
        loop {
            self.news.mark_unchanged();
            let found = self.engine.feed.ring.read().from(self.next, MAX_TAKEN);
            match found {
                Found::Events(events) if events.is_empty() => {}
                Found::Events(events) => {
                    self.next.number += events.len() as u64;
                    return News::Events(events);
                }
                Found::Lost(end) => {
                    self.next = end;
                    self.engine.counts.resynced();
                    return News::Lost;
                }
            }
            if self.news.changed().await.is_err() {
                unreachable!("the engine, which has the sender, outlives its watchers");
            }
        }
    }

    /// The id by which a client that has got everything so far says so.
    pub(crate) const fn seen(&self) -> Position {
        self.next.before()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if self.engine.feed.watchers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.engine.feed.unwatched.notify_one();
        }
    }
}
