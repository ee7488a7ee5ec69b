//! A replica that was removed from the group lives on under a new id: what it held under the former one, and the group
//! has nothing of, is issued again.
//!
//! What is issued again keeps its HLC, its writer and its context, and gets a new dot; the context takes the old dot.
//! As new writes they would overwrite newer ones and bring deleted keys back; without the old dot, a second process that
//! comes back with the same would count it twice.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::mutant::{Mutant, active};
use crate::operation::is_by;
use crate::shard::adopt::has_not_seen;
use crate::shard::descent::{Founders, includes};
use crate::shard::{Effects, Shard, Stage, Wake};
use crate::store::Store;
use crate::{Dot, Entry, Key, Owner, ReplicaId, Version, VersionVector};

/// Keys that are looked at in one go where nobody says how many.
const PAGE: usize = 1_024;

/// What was held under a former id, and of which it is not decided yet what the group has.
#[derive(Debug, Default)]
pub(super) struct Former {
    /// To be looked at for the first time: what comes after the key.
    unread: Option<(Store, Option<Key>)>,
    read: usize,
    /// Was looked at, and could not be decided.
    open: BTreeMap<Key, Entry>,
    /// How far the present pass through those has come.
    after: Option<Key>,
    /// Of whose states it was made.
    founders: Founders,
}

/// What is known of a dot that was held under a former id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The group has it, or has had it.
    Seen,
    /// Nobody has it, and nobody can send it any more.
    Unseen,
    /// Its origin is there, or the members have not agreed on it yet.
    Open,
}

// === impl Shard ===

impl Shard {
    /// Takes over what this process held in the same shard under an earlier id. It is issued again by and by, as far as
    /// the group has nothing of it: see [`Shard::reissue`]. Until then nothing counts as handed off.
    pub fn inherit(&mut self, former: Self) {
        let Self { store, former: mut earlier, tokens, level, mut founders, .. } = former;
        founders.extend(&earlier.founders);
        founders.sort_unstable();
        founders.dedup();
        // What came along from a still earlier id was not issued under that one.
        let mut open = BTreeMap::new();
        while let page = earlier.next_page(PAGE)
            && !page.is_empty()
        {
            for (key, mut entry) in page {
                entry.join(store.get(&key).unwrap_or_default().into_owned(), |_| false, |_| false);
                open.insert(key, entry);
            }
        }
        self.tokens = self.tokens.max(tokens);
        self.level = self.level.max(level);
        self.former = Former { unread: Some((store, None)), open, founders, ..Former::default() };
    }

    /// How many keys were held under a former id, of which it is not decided yet what the group has.
    pub fn inherited(&self) -> usize {
        self.former.len()
    }

    /// Looks at most at so many inherited keys, and issues again what the group has nothing of. To be called again from
    /// time to time while [`Shard::inherited`] is not 0. `now` is the wall clock in Unix milliseconds.
    pub fn reissue(&mut self, now: u64, most: usize) -> Effects {
        if !matches!(self.stage, Stage::Live) || self.inherited() == 0 {
            return Effects::default();
        }
        let before = self.clock.get(self.me());
        for (key, mut entry) in self.former.next_page(most) {
            entry.expire(now);
            if entry.dots().any(|dot| self.fate(dot) == Fate::Open) {
                self.former.open.insert(key, entry);
            } else {
                self.reissue_entry(&key, &entry, now);
            }
        }
        if self.clock.get(self.me()) > before {
            self.reissued = self.clock.get(self.me());
            self.end_writes();
        } else if self.inherited() > 0 {
            return Effects::default();
        }
        // The members wait for word that there is nothing more.
        self.settle_what_is_heard();
        Effects::wake(Wake::All)
    }

    /// Whether all members have what was issued again. Until then the former id must stay listed: the oldest member may
    /// take over what a retired replica has added, and would count it twice.
    pub(super) fn has_spread_reissued(&self) -> bool {
        let me = self.me();
        let spread = |id| self.peers.get(&id).is_some_and(|peer| peer.acked.get(me) >= self.reissued);
        self.former.len() == 0 && (self.reissued == 0 || self.roster.members().all(|(id, _)| spread(id)))
    }

    fn fate(&self, dot: Dot) -> Fate {
        if self.clock.covers(dot) {
            return Fate::Seen;
        }
        // Whoever is not listed is retired: all that anybody held of it at the end is here, if the group's state comes from
        // where the former one did.
        if !self.roster.lists(dot.replica) {
            return if includes(&self.founders, &self.former.founders) { Fate::Seen } else { Fate::Unseen };
        }
        let is_agreed = self.is_agreed(dot.replica) || active(Mutant::ReissueUnsettled);
        if is_agreed { Fate::Unseen } else { Fate::Open }
    }

    fn reissue_entry(&mut self, key: &Key, former: &Entry, now: u64) {
        self.drop_expired(key, now);
        let stored = self.store.get(key).unwrap_or_default();
        let owner = stored.owner().copied();
        let alive = |dot: Dot| stored.versions().iter().any(|version| version.dot == dot);
        let unseen = |dot: Dot| self.fate(dot) == Fate::Unseen && !stored.context().covers(dot) && !alive(dot);
        let mut context = former.context().clone();
        let buries = context.iter().any(|(replica, counter)| unseen(Dot { replica, counter }));
        for version in former.versions().iter().filter(|version| unseen(version.dot)) {
            context.raise(version.dot.replica, version.dot.counter);
        }
        if active(Mutant::ReissueBuriesOthers) {
            stored.versions().iter().for_each(|version| context.raise(version.dot.replica, version.dot.counter));
        }
        let outdated = outdated(former, &stored, unseen);
        outdated.iter().for_each(|dot| context.raise(dot.replica, dot.counter));
        // A dot covers what the same replica wrote before, which may live beside it.
        let again = |version: &&Version| {
            let is_outdated = outdated.contains(&version.dot);
            unseen(version.dot) || (context.covers(version.dot) && alive(version.dot) && !is_outdated)
        };
        let beside = |version: &&Version| {
            let covers = |dot: &Dot| dot.replica == version.dot.replica && dot.counter > version.dot.counter;
            let held = former.versions().iter().any(|other| other.dot == version.dot);
            !held && outdated.iter().any(covers) && !outdated.contains(&version.dot)
        };
        let (held, others) = (former.versions().iter().filter(again), stored.versions().iter().filter(beside));
        let mut versions: Vec<Version> = held.chain(others).cloned().collect();
        // What this replica has written itself meanwhile comes last, under a new dot: whoever supersedes what is issued
        // again must not cover it.
        let me = self.me();
        let own = |version: &&Version| is_by(version, me) && !version.is_issued_again();
        if let Some(own) = stored.versions().iter().find(own).filter(|_| buries || !versions.is_empty()) {
            context.raise(me, own.dot.counter);
            versions.push(own.clone());
        }
        drop(stored);
        for (at, version) in versions.iter().enumerate() {
            self.hlc.observe(version.hlc, now);
            let hlc = if active(Mutant::ReissueAsNew) { self.hlc.tick(now) } else { version.hlc };
            self.make_write(key, at > 0, |entry, dot, _| {
                supersede(entry, &context);
                let owner = version.owner.as_deref().map(|owner| Box::new(Owner { dot, ..*owner }));
                entry.add(Version { dot, hlc, owner, ..version.clone() });
            });
        }
        if versions.is_empty() && buries {
            self.make_write(key, false, |entry, dot, _| {
                supersede(entry, &context);
                entry.context.raise(dot.replica, dot.counter);
            });
        }
        // Who wrote this had not seen whom the key belongs to by now.
        if let Some(owner) = owner
            && self.store.get(key).is_some_and(|entry| has_not_seen(&entry, &owner))
        {
            self.note_overtaken(key, owner);
        }
        // The owner may be the former id, or somebody who has gone meanwhile.
        self.look_at_owner(key);
    }
}

/// What another process has issued again, though it is superseded: that process did not know, and the context of what
/// supersedes it does not know the new dot.
fn outdated(former: &Entry, stored: &Entry, unseen: impl Fn(Dot) -> bool) -> Vec<Dot> {
    let latest = |replica: ReplicaId| {
        let dots = former.versions().iter().map(|version| version.dot).filter(|dot| dot.replica == replica);
        Dot { replica, counter: dots.map(|dot| dot.counter).fold(former.context().get(replica), u64::max) }
    };
    let holds = |version: &Version| former.versions().iter().any(|other| is_same_write(other, version));
    let is_outdated = |version: &&Version| {
        let (last, issued) = (latest(version.writer), stored.context().get(version.writer));
        // Its writer did something later. Or this process had seen all that was issued again, and it was not there any more.
        unseen(last) || (issued > 0 && last.counter >= issued && !holds(version))
    };
    let again = stored.versions().iter().filter(|version| version.is_issued_again());
    again.filter(is_outdated).map(|version| version.dot).collect()
}

/// Whether two versions are of one write, issued again under whatever dot.
fn is_same_write(one: &Version, other: &Version) -> bool {
    let write = |version: &Version| (version.writer, version.hlc, version.added, version.expires_at);
    write(one) == write(other) && one.value == other.value
}

fn supersede(entry: &mut Entry, context: &VersionVector) {
    if !active(Mutant::ReissueWithoutContext) {
        entry.join(Entry::new(Vec::new(), context.clone()), |_| false, |_| false);
    }
}

// === impl Former ===

impl Former {
    fn len(&self) -> usize {
        self.open.len() + self.unread.as_ref().map_or(0, |(store, _)| store.len() - self.read)
    }

    /// Takes out at most so many keys: first what was never looked at, then what was longest ago.
    fn next_page(&mut self, most: usize) -> Vec<(Key, Entry)> {
        if let Some((store, after)) = &mut self.unread {
            let next = store.after(after.as_ref()).take(most).map(|(key, entry)| (key, entry.into_owned()));
            let page: Vec<(Key, Entry)> = next.collect();
            self.read += page.len();
            *after = page.last().map(|(key, _)| key.clone());
            if page.len() == most {
                return page;
            }
            // Whoever asks for more comes to what is open.
            (self.unread, self.read) = (None, 0);
            if !page.is_empty() {
                return page;
            }
        }
        if self.after.as_ref().is_some_and(|after| self.open.keys().next_back().is_none_or(|last| last <= after)) {
            self.after = None;
        }
        let start = self.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let keys: Vec<Key> =
            self.open.range((start, Bound::Unbounded)).take(most).map(|(key, _)| key.clone()).collect();
        self.after = keys.last().cloned();
        keys.into_iter().filter_map(|key| self.open.remove_entry(&key)).collect()
    }
}
