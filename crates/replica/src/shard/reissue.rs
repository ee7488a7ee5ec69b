//! A replica that was removed from the group lives on under a new id: what it held under the former one, and the group
//! has nothing of, is issued again.
//!
//! It is joined, as it was, under a log slot of the new id. So it is the same write wherever else it is, or comes from:
//! whatever has superseded it supersedes it, whatever it has superseded stays so, and nothing counts twice. The former id
//! stays listed meanwhile, and nobody's clock covers what nobody had of it.

use std::borrow::Cow;

use crate::mutant::{Mutant, active};
use crate::operation::own;
use crate::shard::adopt::has_not_seen;
use crate::shard::descent::{Founders, includes};
use crate::shard::{Effects, Shard, Stage, Wake};
use crate::store::Store;
use crate::{Dot, Entry, Key, Owner, Version, VersionVector};

/// What was held under former ids, and may have to be issued again.
#[derive(Debug, Default)]
pub(super) struct Former {
    /// One for each descent, the oldest first; none that is empty.
    parts: Vec<Part>,
}

/// What is left of a state that was held.
#[derive(Debug)]
struct Part {
    store: Store,
    /// The last key that was looked at, and how many were.
    after: Option<Key>,
    read: usize,
    /// Of whose states it was made.
    founders: Founders,
}

// === impl Shard ===

impl Shard {
    /// Takes over what this process held in the same shard under an earlier id. It is issued again by and by, as far as
    /// the group has nothing of it: see [`Shard::reissue`]. Until then nothing counts as handed off, and all operations wait:
    /// a delete that does not find what the app has put deletes nothing.
    pub fn inherit(&mut self, former: Self) {
        let knows_retired = former.knows_retired();
        let Self { mut store, former: earlier, clock, roster, tokens, level, founders, .. } = former;
        store.watch(false);
        for part in earlier.parts {
            let is_strange = !includes(&founders, &part.founders);
            // What came along from a still earlier id was not issued under that one.
            let seen = |dot: Dot| clock.covers(dot) || (knows_retired && !is_strange && !roster.lists(dot.replica));
            let mut apart = Store::new(self.me());
            for (key, entry) in part.rest() {
                let mut entry = entry.into_owned();
                // What has no name in the later state is not mixed with what has one.
                let nameless = entry.take_out(|version| is_strange && !roster.lists(version.dot.replica));
                let owner = entry.owner().copied().filter(|owner| !seen(owner.since));
                store.change(
                    &key,
                    0,
                    |_| true,
                    |later| {
                        later.join(entry, seen, |_| false);
                        later.take_out(|version| nameless.iter().any(|other| other.dot == version.dot));
                        if let Some(owner) = owner.filter(|owner| has_not_seen(later, owner)) {
                            own(later, owner);
                        }
                    },
                );
                for version in nameless {
                    apart.change(&key, 0, |_| true, |kept| kept.add(version));
                }
            }
            self.former.add(apart, part.founders);
        }
        self.tokens = self.tokens.max(tokens);
        self.level = self.level.max(level);
        self.former.add(store, founders);
    }

    /// How many keys were held under a former id, and were not looked at yet.
    pub fn inherited(&self) -> usize {
        self.former.len()
    }

    /// Looks at most at so many inherited keys, and issues again what the group has nothing of. To be called again while
    /// [`Shard::inherited`] is not 0. `now` is the wall clock in Unix milliseconds. A shard that is full waits until
    /// something is deleted.
    pub fn reissue(&mut self, now: u64, most: usize) -> Effects {
        if !matches!(self.stage, Stage::Live) || self.inherited() == 0 || self.is_full() {
            return Effects::default();
        }
        let before = self.clock.get(self.me());
        let (founders, page) = self.former.next_page(most);
        let is_strange = !includes(&self.founders, &founders);
        for (key, entry) in page {
            self.reissue_entry(&key, entry, is_strange, now);
        }
        if self.clock.get(self.me()) > before {
            self.own_overtaken();
            self.absorb_crowded(now);
            self.reissued = self.clock.get(self.me());
            self.end_writes();
        }
        // The members wait for word that there is nothing more.
        self.settle_what_is_heard();
        Effects::wake(Wake::All)
    }

    /// Whether all members have what was issued again. Until then the former id must stay listed: to whoever does not list
    /// it, its writes count as seen.
    pub(super) fn has_spread_reissued(&self) -> bool {
        let me = self.me();
        let spread = |id| self.peers.get(&id).is_some_and(|peer| peer.acked.get(me) >= self.reissued);
        self.inherited() == 0 && (self.reissued == 0 || self.roster.members().all(|(id, _)| spread(id)))
    }

    /// What retired replicas wrote in a state from elsewhere, which is strange here, has no name: it gets another.
    fn reissue_entry(&mut self, key: &Key, mut former: Entry, is_strange: bool, now: u64) {
        former.expire(now);
        let lists = |dot: Dot| self.roster.lists(dot.replica);
        let stored = self.store.get(key).unwrap_or_default();
        let mut renamed = former.supersede(|version| (is_strange && !lists(version.dot)) || renames_all());
        renamed.retain(|version| !stored.context().covers(version.dot));
        let unseen = |dot: Dot| match lists(dot) {
            true => !self.clock.covers(dot),
            false => is_strange && !stored.context().covers(dot),
        };
        let same = |version: &Version| stored.versions().iter().any(|other| other.dot == version.dot);
        let left_out = active(Mutant::ReissueOfMissingOnly) && former.versions().iter().all(same);
        if former.dots().any(unseen) && !left_out {
            drop(stored);
            self.join_again(key, former, now);
        }
        for version in renamed {
            self.rename(key, version, now);
        }
    }

    /// Joins what the group may have nothing of, under a log slot for the key; also if all of it is here already: whoever
    /// it came from may have crashed, and what no clock covers is not handed off.
    fn join_again(&mut self, key: &Key, mut former: Entry, now: u64) {
        if active(Mutant::ReissueWithoutContext) {
            former.context = VersionVector::new();
        }
        if active(Mutant::ReissueBuriesOthers) {
            let stored = self.store.get(key).unwrap_or_default();
            stored.versions().iter().for_each(|version| former.context.raise(version.dot.replica, version.dot.counter));
        }
        let dot = self.next_dot();
        let next = self.clock.clone();
        let record = self.join_entry(key, former, 1, |_| false, &next, now);
        self.log_write(dot, record, false);
    }

    /// Makes a write anew, as old as it was.
    fn rename(&mut self, key: &Key, version: Version, now: u64) {
        let hlc = if active(Mutant::ReissueAsNew) { self.hlc.tick(now) } else { version.hlc };
        self.hlc.observe(hlc, now);
        self.make_write(key, false, |entry, dot, _| {
            let owner = version.owner.as_deref().map(|owner| Box::new(Owner { since: dot, dot, ..*owner }));
            entry.add(Version { dot, hlc, owner, ..version });
        });
        self.look_at_owner(key);
    }
}

fn renames_all() -> bool {
    active(Mutant::ReissueRenamed) || active(Mutant::ReissueAsNew)
}

// === impl Former ===

impl Former {
    fn len(&self) -> usize {
        self.parts.iter().map(|part| part.store.len() - part.read).sum()
    }

    /// Adds a state of these founders.
    fn add(&mut self, store: Store, founders: Founders) {
        if !store.is_empty() {
            self.parts.push(Part { store, after: None, read: 0, founders });
        }
    }

    /// The next keys, at most so many, and of whose states they are. The memory of a part without more is given back.
    fn next_page(&mut self, most: usize) -> (Founders, Vec<(Key, Entry)>) {
        let Some(part) = self.parts.first_mut() else { return Default::default() };
        let page: Vec<(Key, Entry)> = part.rest().take(most).map(|(key, entry)| (key, entry.into_owned())).collect();
        part.read += page.len();
        part.after = page.last().map(|(key, _)| key.clone());
        let founders = part.founders.clone();
        if part.read == part.store.len() {
            self.parts.remove(0);
        }
        (founders, page)
    }
}

// === impl Part ===

impl Part {
    /// The entries that were not looked at.
    fn rest(&self) -> impl Iterator<Item = (Key, Cow<'_, Entry>)> {
        self.store.after(self.after.as_ref())
    }
}
