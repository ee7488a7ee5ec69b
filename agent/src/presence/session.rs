//! Sessions: open watches that presences end with.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use baton_replica::Key;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The sessions of one agent.
#[derive(Default)]
pub(crate) struct Sessions {
    table: Mutex<HashMap<Box<str>, Session>>,
    /// Whether this agent has adopted something and nobody has looked.
    adopted: AtomicBool,
    /// Signalled when a session has begun or ended, or when something was adopted.
    changed: Notify,
}

#[derive(Default)]
struct Session {
    /// How many watches hold it open.
    watches: usize,
    /// What is tied to it, as far as this agent knows: an app that comes back finds it.
    keys: HashSet<Key>,
    /// Whether it has begun or ended and nobody has looked.
    due: bool,
    /// When all that lingers has ended, in Unix milliseconds, if it is not open.
    forget_at: u64,
}

/// A session that has begun or ended.
pub(super) struct Due {
    pub(super) name: Box<str>,
    pub(super) is_open: bool,
    pub(super) keys: Vec<Key>,
}

/// A watch that holds a session open.
pub(crate) struct Visit {
    sessions: Arc<Sessions>,
    name: Box<str>,
}

// === impl Sessions ===

impl Sessions {
    /// Opens a session, or holds it open with others.
    pub(crate) fn enter(self: &Arc<Self>, name: &str) -> Visit {
        let mut table = self.table.lock();
        let session = table.entry(name.into()).or_default();
        session.watches += 1;
        session.due |= session.watches == 1 && !session.keys.is_empty();
        drop(table);
        self.changed.notify_one();
        Visit { sessions: self.clone(), name: name.into() }
    }

    pub(super) fn is_open(&self, name: &str) -> bool {
        self.table.lock().get(name).is_some_and(|session| session.watches > 0)
    }

    /// Something is tied to a session. It may have ended at this moment.
    pub(super) fn tie(&self, name: &str, key: Key) {
        let mut table = self.table.lock();
        let session = table.entry(name.into()).or_default();
        session.keys.insert(key);
        if session.watches == 0 {
            session.due = true;
            self.changed.notify_one();
        }
    }

    /// Something is tied to it no more.
    pub(super) fn untie(&self, name: &str, key: &Key) {
        if let Some(session) = self.table.lock().get_mut(name) {
            session.keys.remove(key);
        }
    }

    /// Something stays for a while after its session: it is found again if that is opened before.
    pub(super) fn linger(&self, name: &str, key: Key, until: u64) {
        let mut table = self.table.lock();
        let session = table.entry(name.into()).or_default();
        session.keys.insert(key);
        session.forget_at = session.forget_at.max(until);
        if session.watches > 0 {
            session.due = true;
            self.changed.notify_one();
        }
    }

    /// What has begun or ended since the last time. What is tied to one that has ended is not, any more.
    pub(super) fn take_due(&self, now: u64) -> Vec<Due> {
        let mut table = self.table.lock();
        let is_due = |session: &mut Session| std::mem::take(&mut session.due);
        let due = table.iter_mut().filter_map(|(name, session)| is_due(session).then(|| session.say(name))).collect();
        table.retain(|_, session| session.watches > 0 || (!session.keys.is_empty() && session.forget_at > now));
        due
    }

    /// This agent has adopted something.
    pub(crate) fn note_adoption(&self) {
        self.adopted.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Whether it has since the last time.
    pub(super) fn take_adoption(&self) -> bool {
        self.adopted.swap(false, Ordering::AcqRel)
    }

    /// Waits until there may be something to do.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

// === impl Session ===

impl Session {
    fn say(&mut self, name: &str) -> Due {
        let is_open = self.watches > 0;
        let keys = if is_open { self.keys.clone() } else { std::mem::take(&mut self.keys) };
        Due { name: name.into(), is_open, keys: keys.into_iter().collect() }
    }
}

// === impl Visit ===

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(session) = self.sessions.table.lock().get_mut(&self.name) {
            session.watches -= 1;
            session.due |= session.watches == 0;
        }
        self.sessions.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use baton_replica::MapName;

    use super::*;

    fn key() -> Key {
        Key::new(&MapName::parse("rooms").expect("valid"), b"lobby").expect("valid")
    }

    fn due(sessions: &Sessions, now: u64) -> Vec<(bool, usize)> {
        sessions.take_due(now).into_iter().map(|due| (due.is_open, due.keys.len())).collect()
    }

    #[test]
    fn a_session_ends_with_the_last_watch_that_holds_it() {
        let sessions = Arc::new(Sessions::default());
        let (first, second) = (sessions.enter("s"), sessions.enter("s"));
        sessions.tie("s", key());
        drop(first);
        assert!(due(&sessions, 1).is_empty() && sessions.is_open("s"));
        drop(second);
        assert_eq!((due(&sessions, 1), sessions.is_open("s")), (vec![(false, 1)], false));
        assert!(due(&sessions, 1).is_empty() && sessions.table.lock().is_empty(), "nothing is kept of it");
    }

    #[test]
    fn what_lingers_is_found_by_who_comes_back_in_time() {
        let sessions = Arc::new(Sessions::default());
        sessions.linger("s", key(), 10);
        assert!(due(&sessions, 9).is_empty());
        let back = sessions.enter("s");
        assert_eq!(due(&sessions, 9), [(true, 1)]);
        drop(back);
        assert_eq!(due(&sessions, 9), [(false, 1)]);
        sessions.linger("s", key(), 10);
        assert!(due(&sessions, 10).is_empty() && sessions.table.lock().is_empty(), "it has ended");
    }

    #[test]
    fn what_is_tied_at_the_moment_of_the_end_ends_too() {
        let sessions = Arc::new(Sessions::default());
        drop(sessions.enter("s"));
        assert_eq!(due(&sessions, 1), [(false, 0)]);
        sessions.tie("s", key());
        assert_eq!(due(&sessions, 1), [(false, 1)]);
    }
}
