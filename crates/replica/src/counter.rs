//! Counters: one version for each replica that has added, with the sum of all that it has added since it last saw the
//! counter put or deleted.
//!
//! A replica replaces its own version only. To replace that of another is exact only if the other can never write again
//! and nobody else replaces it at the same time: the oldest listed member alone takes over what retired replicas have
//! added. All members have settled those, so that all hold the same of them, and none can come late: whatever arrives
//! after the version that took it over is superseded by it, and whoever holds it drops it with the arrival of that
//! version, in the same entry.

use crate::mutant::{Mutant, active};
use crate::operation::{Author, Refusal, is_by};
use crate::{Entry, Roster, Version};

/// More contributions of retired replicas than this are taken over as soon as another addition arrives: each costs
/// about 60 bytes on every replica, and a group that restarts daily keeps a month's of them.
pub(crate) const MAX_RETIRED: usize = 32;

/// Whether so much can be added, in exact arithmetic.
pub(crate) fn can_add(entry: &Entry, by: i64, roster: &Roster) -> Result<(), Refusal> {
    let base = match entry.versions().first().and_then(|winner| winner.value.as_ref()) {
        Some(value) => value.integer().ok_or(Refusal::NotAnInteger)?,
        None => 0,
    };
    let sum = |which: &dyn Fn(&Version) -> bool| -> i128 {
        entry.versions().iter().filter(|version| which(version)).map(|version| i128::from(version.added)).sum()
    };
    let mine = sum(&folds(entry, roster)) + i128::from(by);
    let total = sum(&|_| true) + i128::from(base) + i128::from(by);
    let fits = |number: i128| i64::try_from(number).is_ok();
    if fits(mine) && fits(total) { Ok(()) } else { Err(Refusal::Overflow) }
}

/// Adds to this replica's version. What was put stays with the sum: they are one version, under one dot.
pub(crate) fn add(entry: &mut Entry, by: i64, author: &Author<'_>) {
    let owner = entry.owner().copied().map(Box::new);
    let expires_at = entry.versions().first().and_then(|winner| winner.expires_at);
    let mut folded = entry.supersede(folds(entry, author.roster));
    folded.retain(|version| !version.has_expired(author.now));
    let added = folded.iter().map(|version| version.added).fold(by, i64::saturating_add);
    let base = folded.into_iter().filter(|version| !version.is_contribution()).max_by_key(Version::rank);
    let (hlc, value) = base.map_or((author.hlc, None), |base| (base.hlc, base.value));
    entry.add(Version { dot: author.dot, hlc, writer: author.dot.replica, value, added, owner, expires_at });
}

/// Whether one version can take the place of all: not if others have added, who may be adding now.
pub(crate) fn can_copy(entry: &Entry, roster: &Roster) -> Result<(), Refusal> {
    let is_oldest = roster.is_oldest();
    let is_final = |version: &Version| is_by(version, roster.me()) || (is_oldest && !roster.lists(version.dot.replica));
    let counts = |version: &&Version| version.is_contribution() || version.added != 0;
    if entry.versions().iter().filter(counts).all(is_final) { Ok(()) } else { Err(Refusal::Shared) }
}

/// Replaces all by the version that wins, with all that was added and another deadline. It stays as old as it was: a
/// new deadline does not win over a newer value.
pub(crate) fn copy(entry: &mut Entry, expires_at: Option<u64>, author: &Author<'_>) {
    let owner = entry.owner().copied().map(Box::new);
    let live = || entry.versions().iter().filter(|version| !version.has_expired(author.now));
    let added = live().map(|version| version.added).fold(0, i64::saturating_add);
    let Some(winner) = live().next() else { return };
    let hlc = if active(Mutant::TouchIsNewer) { author.hlc } else { winner.hlc };
    let value = winner.value.clone();
    entry.put(Version { dot: author.dot, hlc, writer: author.dot.replica, value, added, owner, expires_at });
}

/// How many versions this replica could take over: of replicas that are retired, if it is the oldest.
pub(crate) fn retired(entry: &Entry, roster: &Roster) -> usize {
    if entry.versions().len() <= MAX_RETIRED || !roster.is_oldest() {
        return 0;
    }
    entry.versions().iter().filter(|version| version.is_contribution() && !roster.lists(version.dot.replica)).count()
}

/// Which versions an addition of this replica takes the place of: its own, and if it is the oldest, what retired
/// replicas have added. What they have put stays theirs.
fn folds<'a>(entry: &Entry, roster: &'a Roster) -> impl Fn(&Version) -> bool + use<'a> {
    // Most counters have nothing to take over, and need not know who is the oldest.
    let foreign = entry.versions().iter().any(|version| version.is_contribution() && !is_by(version, roster.me()));
    let absorbs = (foreign && roster.is_oldest()) || active(Mutant::CounterAbsorbedByYounger);
    move |version| {
        let retired = !roster.lists(version.dot.replica) || active(Mutant::CounterAbsorbsTheLiving);
        is_by(version, roster.me()) || (absorbs && version.is_contribution() && retired)
    }
}
