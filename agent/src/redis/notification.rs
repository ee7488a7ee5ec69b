//! Keyspace notifications: what happens to keys, as messages of channels of this agent.
//!
//! They are made of what has changed here, whoever changed it: so the subscribers of every pod hear of the writes of all.
//! Which command it was is not known; the event's name is that of the plainest one that does the same.

mod class;
mod event;

use std::sync::Arc;
use std::time::Duration;

use baton_replica::{Change, Key};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::channel::Message;
use crate::engine::{Engine, News, Range, What, wall_millis};
use crate::redis::Front;
use crate::redis::database::Database;
pub(super) use class::Classes;
use event::Event;

/// The pause while there are too many watchers.
const PAUSE: Duration = Duration::from_secs(1);

/// Which events are told.
pub(super) struct Notifications {
    classes: watch::Sender<Classes>,
}

/// Tells subscribers what happens to keys, while somebody has asked for it.
pub(crate) async fn notify(front: Arc<Front>) {
    let mut classes = front.notifications.classes.subscribe();
    loop {
        if !until(&mut classes, true).await {
            return;
        }
        let Ok((mut watcher, _)) = front.engine.watch(None) else {
            sleep(PAUSE).await;
            continue;
        };
        loop {
            let news = tokio::select! {
                news = watcher.next() => news,
                _ = until(&mut classes, false) => break,
            };
            // What was lost is not told: nobody is promised all of it.
            let News::Events(events) = news else { continue };
            let now = *classes.borrow();
            let mut teller = Teller { engine: &front.engine, classes: now, gone: None };
            events.iter().for_each(|event| {
                if let What::Change(change) = &event.what {
                    teller.tell(change);
                }
            });
        }
    }
}

/// Waits until something is to be told, or nothing; false if that is never said any more.
async fn until(classes: &mut watch::Receiver<Classes>, any: bool) -> bool {
    classes.wait_for(|classes| classes.any() == any).await.is_ok()
}

/// Makes messages of changes.
struct Teller<'a> {
    engine: &'a Engine,
    classes: Classes,
    /// The last key that was said to be gone: it goes with each of its last fields, and is said to be once.
    gone: Option<Key>,
}

// === impl Notifications ===

impl Notifications {
    /// None are told.
    pub(super) fn new() -> Self {
        Self { classes: watch::Sender::new(Classes::default()) }
    }

    /// Which are told.
    pub(super) fn classes(&self) -> Classes {
        *self.classes.borrow()
    }

    /// Others are told from now on.
    pub(super) fn set(&self, classes: Classes) {
        self.classes.send_replace(classes);
    }
}

// === impl Teller ===

impl Teller<'_> {
    fn tell(&mut self, change: &Change) {
        let Some((event, gone)) = Event::of(change, wall_millis()) else { return };
        let key = change.key.without_field();
        let Some((database, text)) = Database::holding(&key) else { return };
        self.publish(database, &text, event);
        let Some(gone) = gone else {
            self.gone = None;
            return;
        };
        if self.gone.as_ref() != Some(&key) && self.is_gone(&key) {
            self.publish(database, &text, Event::of_key(gone));
            self.gone = Some(key);
        }
    }

    fn is_gone(&self, key: &Key) -> bool {
        let none = |found: Result<bool, _>| found.is_ok_and(|found| !found);
        none(self.engine.get(key).map(|read| read.is_some()))
            && none(self.engine.fields(key, Range { prefix: b"", after: None, limit: 1 }).map(|rows| !rows.is_empty()))
    }

    fn publish(&self, database: Database, key: &[u8], event: Event) {
        if !self.classes.have(event.class) {
            return;
        }
        let number = database.number();
        let deliver = |channel: Bytes, payload: Bytes| {
            self.engine.channels().deliver(&Arc::new(Message { channel, payload }));
        };
        if self.classes.by_key {
            let channel = [format!("__keyspace@{number}__:").as_bytes(), key].concat();
            deliver(channel.into(), Bytes::from_static(event.name.as_bytes()));
        }
        if self.classes.by_event {
            deliver(format!("__keyevent@{number}__:{}", event.name).into(), Bytes::copy_from_slice(key));
        }
    }
}
