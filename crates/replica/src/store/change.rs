//! What changed, with the old value and the new: the source of every subscription.

use crate::mutant::{Mutant, active};
use crate::{Entry, Key, Owner, Tag, Value};

/// What a reader would have seen of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The value that wins; the sum of a counter.
    pub value: Value,
    /// Its identity.
    pub tag: Tag,
    /// Who owns it.
    pub owner: Option<Owner>,
    /// When it expires, in Unix milliseconds.
    pub expires_at: Option<u64>,
}

/// One key that changed in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Key,
    /// Before; `None` if it had no value.
    pub before: Option<State>,
    /// After; `None` if it has no value.
    pub after: Option<State>,
}

/// Changes since they were last taken, if anybody watches. The shard's caller takes them after every call, so that they
/// are bounded by what one call can change.
#[derive(Debug, Default)]
pub(super) struct Feed {
    watched: bool,
    changes: Vec<Change>,
}

// === impl State ===

impl State {
    /// What a reader sees of an entry.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        Some(Self {
            value: entry.value()?,
            tag: entry.tag()?,
            owner: entry.owner().copied(),
            expires_at: entry.versions().first()?.expires_at,
        })
    }
}

// === impl Feed ===

impl Feed {
    pub(super) fn watch(&mut self, watch: bool) {
        self.watched = watch;
        if !watch {
            self.changes = Vec::new();
        }
    }

    pub(super) const fn is_watched(&self) -> bool {
        self.watched
    }

    pub(super) fn replace(&mut self, key: &Key, before: &Entry, after: &Entry) {
        if !self.watched {
            return;
        }
        let (before, after) = (State::of(before), State::of(after));
        let owned = |state: &Option<State>| state.as_ref().is_some_and(|state| state.owner.is_some());
        let untold = active(Mutant::UnownedChangesUntold) && !owned(&before) && !owned(&after);
        if before != after && !untold {
            self.changes.push(Change { key: key.clone(), before, after });
        }
    }

    /// The last change, if it is of this key, mends what the one before it has shown: to whoever watches, they are one.
    pub(super) fn fold(&mut self, key: &Key) {
        let Some(last) = self.changes.pop_if(|change| change.key == *key) else { return };
        let Some(at) = self.changes.iter().rposition(|change| change.key == *key) else {
            return self.changes.push(last);
        };
        let change = &mut self.changes[at];
        change.after = last.after;
        if change.before == change.after {
            self.changes.remove(at);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}
