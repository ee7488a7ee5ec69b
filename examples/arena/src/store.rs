//! Where the game keeps what must not be lost: named maps of small values under string keys.
//!
//! [`Memory`] is what such a server has without Baton: a `HashMap` that ends with the process. [`Baton`] is the same
//! operations spoken to the agent in this pod. The game does not know which of the two it has.

mod baton;
mod memory;
mod news;

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

pub(crate) use baton::Baton;
pub(crate) use memory::Memory;
pub(crate) use news::{Entry, Everything, Member, News, Owner};

/// One of the two places.
pub(crate) enum Store {
    Memory(Memory),
    Baton(Box<Baton>),
}

/// A value, and the version that a conditional write names.
pub(crate) struct Stored {
    pub(crate) value: Bytes,
    pub(crate) version: Version,
}

/// Opaque: the agent's ETag, or a counter in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version(String);

/// When a write may happen.
pub(crate) enum Only {
    /// There is nothing under the key.
    IfAbsent,
    /// The key still holds this version.
    IfUnchanged(Version),
}

/// What the owner of a key does to it. Its fencing token goes along: one who is not the owner any more changes nothing.
pub(crate) struct Stroke {
    pub(crate) map: &'static str,
    pub(crate) key: String,
    pub(crate) token: String,
    pub(crate) act: Act,
}

/// See [`Stroke`].
pub(crate) enum Act {
    Put(Bytes),
    Delete,
    /// This pod runs what it has adopted.
    Confirm,
}

/// What became of a stroke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Yes,
    /// Not this time.
    NotYet,
    /// Another pod is the owner now.
    NotMine,
}

/// Why an operation did not happen.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// The write's condition does not hold (any more): nothing was written. Read again.
    Conflict,
    /// No answer, or "not now". The write may have happened; sending it again is safe.
    Unavailable(String),
    /// The store will never take this: nothing was written.
    Refused(String),
}

// === impl Store ===

impl Store {
    /// The agent at `url`, or memory when this pod has none.
    pub(crate) fn open(url: Option<String>) -> Self {
        match url {
            Some(url) => Self::Baton(Box::new(Baton::new(url))),
            None => Self::Memory(Memory::default()),
        }
    }

    pub(crate) async fn get(&self, map: &str, key: &str) -> Result<Option<Stored>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.get(map, key)),
            Self::Baton(baton) => baton.get(map, key).await,
        }
    }

    /// Returns only once the store has accepted the write.
    pub(crate) async fn put(&self, map: &str, key: &str, value: Bytes, only: Only) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => memory.put(map, key, value, only),
            Self::Baton(baton) => baton.put(map, key, value, only).await,
        }
    }

    /// Puts what nobody has put yet, and makes this pod its owner. It waits for no other pod.
    pub(crate) async fn claim(&self, map: &str, key: &str, value: Bytes) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => memory.put(map, key, value, Only::IfAbsent),
            Self::Baton(baton) => baton.claim(map, key, value).await,
        }
    }

    /// Notes that a key was there, for a while.
    pub(crate) async fn note(&self, map: &str, key: &str, ttl: Duration) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.note(map, key, ttl);
                Ok(())
            }
            Self::Baton(baton) => baton.note(map, key, ttl).await,
        }
    }

    /// What this pod does to what it owns, in few requests. There is an answer for each stroke.
    pub(crate) async fn strike(&self, strokes: &[Stroke]) -> Result<Vec<Done>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(strokes.iter().map(|stroke| memory.strike(stroke)).collect()),
            Self::Baton(baton) => baton.strike(strokes).await,
        }
    }

    /// Tells what is in some maps, and from then on what changes there, until nobody listens.
    pub(crate) async fn follow(&self, maps: &'static [&'static str], tell: mpsc::Sender<News>) {
        match self {
            Self::Memory(memory) => memory.follow(maps, tell).await,
            Self::Baton(baton) => baton.follow(maps, tell).await,
        }
    }

    /// Deletes whatever is there; nothing there is fine too.
    pub(crate) async fn delete(&self, map: &str, key: &str) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.delete(map, key);
                Ok(())
            }
            Self::Baton(baton) => baton.delete(map, key).await,
        }
    }

    pub(crate) async fn list(&self, map: &str) -> Result<Vec<(String, Bytes)>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.list(map)),
            Self::Baton(baton) => baton.list(map).await,
        }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Conflict => f.write_str("the value has changed meanwhile"),
            Self::Unavailable(why) | Self::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for StoreError {}
