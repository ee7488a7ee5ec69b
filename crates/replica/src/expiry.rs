//! Entries as everybody must see them from their versions' deadlines on, whether or not what has expired was dropped.
//!
//! Some of it cannot be dropped yet: see [`Entry::expire`].

use std::borrow::Cow;

use crate::mutant::{Mutant, active};
use crate::operation::own;
use crate::{Entry, Version};

/// The entry without what has expired.
pub(crate) fn unexpired(entry: Cow<'_, Entry>, now: u64) -> Cow<'_, Entry> {
    if entry.versions().iter().all(|version| !version.has_expired(now)) {
        return entry;
    }
    let mut left = entry.into_owned();
    hide(&mut left, now);
    Cow::Owned(left)
}

/// Changes an entry as if nothing were in it that has expired. What still cannot be dropped after that stays in it.
pub(crate) fn change_unexpired<R>(entry: &mut Entry, now: u64, change: impl FnOnce(&mut Entry) -> R) -> R {
    let hidden = hide(entry, now);
    let result = change(entry);
    if !hidden.is_empty() {
        hidden.into_iter().for_each(|version| entry.add(version));
        entry.expire(now);
    }
    result
}

/// Takes out what has expired. An ownership that came after the one which is left goes on.
fn hide(entry: &mut Entry, now: u64) -> Vec<Version> {
    if active(Mutant::ExpiredIsShown) {
        return Vec::new();
    }
    let owner = entry.owner().copied();
    let hidden = entry.take_out(|version| version.has_expired(now));
    if let Some(owner) = owner.filter(|owner| entry.shows_earlier(owner)) {
        own(entry, owner);
    }
    hidden
}
