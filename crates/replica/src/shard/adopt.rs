//! Who owns what: keys whose owner has departed get another, as a standing condition; and what a leaver waits for.

use std::collections::{BTreeMap, BTreeSet};

use crate::mutant::{Mutant, active};
use crate::operation::own;
use crate::shard::{Listed, Shard, Stage, WriteError};
use crate::store::{RecordId, Store};
use crate::{Entry, Key, OnDeparture, Owner, Read, ReplicaId, Succession};

/// What was done about keys whose owner has departed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// Writes that were made; peers are to be told.
    pub writes: usize,
    /// There may be more to do.
    pub more: bool,
}

/// What a leaver's keys wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handover {
    /// Keys that the leaver still owns.
    pub unadopted: usize,
    /// Keys that were its own, and whose present owner's app has not confirmed that it runs them.
    pub unconfirmed: usize,
}

/// What a leaver's hold waits for beyond its state being covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Completion {
    /// Nothing.
    #[default]
    Replicated,
    /// All that it owned has another owner.
    Adopted,
    /// And those owners' apps have said that they run it.
    Confirmed,
}

/// Keys to look at, as to their owners.
#[derive(Debug, Default)]
pub(super) struct Heritage {
    succession: Succession,
    /// Departed owners, and how far their keys were looked at.
    scan: BTreeMap<ReplicaId, Option<RecordId>>,
    /// Records that arrived with a departed owner. An id whose record was removed does no harm.
    due: BTreeSet<RecordId>,
    /// Ownerships that a put which had not seen them has taken the place of.
    overtaken: BTreeMap<Key, Owner>,
    /// Keys that went from this replica to another, whose app has not confirmed it.
    unconfirmed: BTreeSet<Key>,
    /// All others that went from it since it leaves, or were adopted from it: one that owns them next may have to confirm.
    /// Until their entries are gone: what is deleted may have been put and adopted by somebody who has not seen that.
    handed: BTreeSet<Key>,
    /// An ownership was said again, and the caller has not asked for that.
    said_again: bool,
}

// === impl Handover ===

impl Handover {
    /// Both together.
    pub const fn and(self, other: Self) -> Self {
        Self { unadopted: self.unadopted + other.unadopted, unconfirmed: self.unconfirmed + other.unconfirmed }
    }

    /// What of it a leaver waits for.
    pub const fn awaited(self, completion: Completion) -> Self {
        match completion {
            Completion::Replicated => Self { unadopted: 0, unconfirmed: 0 },
            Completion::Adopted => Self { unconfirmed: 0, ..self },
            Completion::Confirmed => self,
        }
    }
}

// === impl Shard ===

impl Shard {
    /// Gives new owners to keys whose owner has departed, if this replica is to be that owner: looks at most at so many.
    pub fn adopt(&mut self, now: u64, most: usize) -> Adoption {
        let mut writes = 0;
        for _ in 0..most {
            let Some(record) = self.next_orphan() else { break };
            writes += usize::from(self.adopt_record(record, now));
        }
        if writes > 0 {
            self.end_writes();
        }
        Adoption { writes, more: self.adoption_due() }
    }

    /// Whether there may be something to adopt.
    pub fn adoption_due(&self) -> bool {
        !(self.heritage.scan.is_empty() && self.heritage.due.is_empty())
    }

    /// What a leaver's keys wait for.
    pub fn handover(&self) -> Handover {
        if active(Mutant::HoldForgetsOwners) {
            return Handover::default();
        }
        Handover { unadopted: self.owned_count(), unconfirmed: self.heritage.unconfirmed.len() }
    }

    /// Whether an ownership was said again since this was last asked: peers are to be told, whatever call that came with.
    /// An expiry does that too, and a write that was refused, before which something had expired.
    pub fn take_said_again(&mut self) -> bool {
        std::mem::take(&mut self.heritage.said_again)
    }

    /// How many keys this replica owns.
    pub fn owned_count(&self) -> usize {
        self.store.owned_count(self.me())
    }

    /// How many keys are noted as to their owners: those that went to others, and those whose owner is to be said again.
    pub fn noted_owners(&self) -> usize {
        let Heritage { overtaken, unconfirmed, handed, .. } = &self.heritage;
        overtaken.len() + unconfirmed.len() + handed.len()
    }

    /// The keys and fields that this replica owns, in key order, after one of them; at most `limit`. Looks at all of them.
    pub fn owned(&self, after: Option<&Key>, limit: usize, now: u64) -> Result<Vec<Listed>, WriteError> {
        self.readable()?;
        let mut keys = BTreeSet::new();
        for record in self.store.owned(self.me(), None) {
            let key = self.store.key(record);
            if after.is_none_or(|after| key > *after) {
                keys.insert(key);
                if keys.len() > limit {
                    keys.pop_last();
                }
            }
        }
        let listed = |key: Key| {
            let read = Read::of(&*self.store.get(&key)?, now)?;
            Some(Listed { key, read })
        };
        Ok(keys.into_iter().filter_map(listed).collect())
    }

    /// The members have changed, or this replica has got the state: who adopts what may be another.
    pub(super) fn renew_succession(&mut self) {
        let succession = Succession::of(&self.roster, matches!(self.stage, Stage::Live));
        if succession == self.heritage.succession {
            return;
        }
        self.heritage.succession = succession;
        let departed = self.store.owners().filter(|owner| self.roster.is_departed(*owner));
        self.heritage.scan = departed.map(|owner| (owner, None)).collect();
    }

    /// The owner of a key has changed, perhaps: by a message, or with what a local write has left.
    pub(super) fn note_owner(
        &mut self,
        key: &Key,
        record: Option<RecordId>,
        before: Option<Owner>,
        owner: Option<Owner>,
    ) {
        if let (Some(owner), Some(record)) = (owner.and_then(|owner| owner.replica), record)
            && self.roster.is_departed(owner)
            && !self.is_joining()
        {
            self.heritage.due.insert(record);
        }
        let (me, leaving, heritage) = (self.roster.me(), self.roster.leaving(), &mut self.heritage);
        let was_handed = heritage.unconfirmed.remove(key) | heritage.handed.remove(key);
        let next = owner.and_then(|owner| owner.replica);
        if next == Some(me) {
            return;
        }
        let waits = next.is_some() && owner.is_some_and(|owner| !owner.confirmed);
        // Who has adopted the key may have heard before this replica that it leaves.
        let is_lost = before.is_some_and(|before| before.replica == Some(me)) && (leaving || waits);
        if (was_handed || is_lost) && self.store.find(key).is_some() {
            let waits = waits && !active(Mutant::AdoptionConfirms);
            let keys = if waits { &mut heritage.unconfirmed } else { &mut heritage.handed };
            keys.insert(key.clone());
        }
    }

    /// Does what may be the end of a record. A key that is gone goes to nobody.
    pub(super) fn end_record<R>(&mut self, id: RecordId, end: impl FnOnce(&mut Store) -> R) -> R {
        let notes_any = !(self.heritage.unconfirmed.is_empty() && self.heritage.handed.is_empty());
        let key = if notes_any { self.store.existing_key(id) } else { None };
        let result = end(&mut self.store);
        if let Some(key) = key.filter(|key| self.store.find(key).is_none()) {
            self.heritage.unconfirmed.remove(&key);
            self.heritage.handed.remove(&key);
        }
        result
    }

    /// One side of a join had not seen the ownership that the other knew: it will be said again. Whoever gave it may be
    /// gone.
    pub(super) fn note_overtaken(&mut self, key: &Key, owner: Owner) {
        if active(Mutant::ClaimLosesToPut) {
            return;
        }
        let noted = self.heritage.overtaken.entry(key.clone()).or_insert(owner);
        if noted.rank() < owner.rank() {
            *noted = owner;
        }
    }

    /// A key has changed: what was overtaken may have been followed, or have ended, since.
    pub(super) fn recheck_overtaken(&mut self, key: &Key) {
        if let Some(owner) = self.heritage.overtaken.get(key)
            && !self.store.get(key).is_some_and(|entry| has_not_seen(&entry, owner))
        {
            self.heritage.overtaken.remove(key);
        }
    }

    /// A key has come to have an owner other than by a message or an operation.
    pub(super) fn look_at_owner(&mut self, key: &Key) {
        let owner = self.store.get(key).and_then(|entry| entry.owner().copied());
        self.note_owner(key, self.store.find(key), None, owner);
    }

    /// A key was written here: a leaver does not wait for it if nobody owns it any more.
    pub(super) fn recheck_handover(&mut self, key: &Key) {
        self.recheck_overtaken(key);
        if self.heritage.unconfirmed.contains(key) || self.heritage.handed.contains(key) {
            let owner = self.store.get(key).and_then(|entry| entry.owner().copied());
            self.note_owner(key, None, None, owner);
        }
    }

    /// The next record that may need this replica as its owner.
    fn next_orphan(&mut self) -> Option<RecordId> {
        if let Some(record) = self.heritage.due.pop_first() {
            return Some(record);
        }
        loop {
            let mut owner = self.heritage.scan.first_entry()?;
            match self.store.owned(*owner.key(), *owner.get()).next() {
                Some(record) => {
                    owner.insert(Some(record));
                    return Some(record);
                }
                None => drop(owner.remove()),
            }
        }
    }

    fn adopt_record(&mut self, record: RecordId, now: u64) -> bool {
        let owner = self.store.entry(record).and_then(|entry| entry.owner().copied());
        let Some(before) = owner else { return false };
        let Some(departed) = before.replica.filter(|owner| self.roster.is_departed(*owner)) else { return false };
        let key = self.store.key(record);
        let policy = self.roster.on_departure(key.map());
        let next = match policy {
            OnDeparture::Adopt => self.heritage.succession.adopter(&key, departed),
            OnDeparture::Keep | OnDeparture::Release => self.heritage.succession.releaser(&key, departed),
        };
        let mine = next == Some(self.me()) || (next.is_some() && active(Mutant::EverybodyAdopts));
        if !mine || !matches!(self.stage, Stage::Live) {
            return false;
        }
        let hlc = self.hlc.tick(now);
        let Some(mut token) = self.take_token(hlc, Some(&before)) else { return false };
        if active(Mutant::AdopterKeepsToken) {
            token = before.token;
        }
        self.make_write(&key, false, |entry, dot, _| match policy {
            OnDeparture::Adopt if active(Mutant::AdopterTakesNothing) => own(entry, Owner::given(None, token, dot)),
            OnDeparture::Adopt => own(entry, Owner::given(Some(dot.replica), token, dot)),
            OnDeparture::Keep => own(entry, Owner::given(None, token, dot)),
            OnDeparture::Release => entry.delete(dot),
        });
        true
    }

    /// A put that had not seen a change of owner does not undo it: it is said again, as it was, before anybody sees the
    /// key. If the owner has departed meanwhile, another takes over after it, and not after the one before it. Says whether
    /// there was any.
    pub(super) fn own_overtaken(&mut self) -> bool {
        let mut any = false;
        while matches!(self.stage, Stage::Live)
            && let Some((key, owner)) = self.heritage.overtaken.pop_first()
        {
            any |= self.own_again(&key, owner);
        }
        if any {
            self.heritage.said_again = true;
            self.end_writes();
        }
        any
    }

    fn own_again(&mut self, key: &Key, owner: Owner) -> bool {
        if !self.store.get(key).is_some_and(|entry| has_not_seen(&entry, &owner)) {
            return false;
        }
        let before = self.store.get(key).and_then(|entry| entry.owner().copied());
        self.make_write(key, false, |entry, dot, _| own(entry, Owner { dot, ..owner }));
        // Its app was never without it.
        self.store.fold_change(key);
        if !active(Mutant::SayingAgainConfirms) {
            self.note_owner(key, self.store.find(key), before, Some(owner));
        }
        true
    }
}

/// Whether an entry was written by who had not seen an ownership: registers that follow it have greater tokens, and who
/// deletes a key keeps the ownership's dot in the context.
pub(super) fn has_not_seen(entry: &Entry, owner: &Owner) -> bool {
    match entry.owner() {
        Some(_) => entry.shows_earlier(owner),
        None => !entry.versions().is_empty() && !entry.context().covers(owner.since),
    }
}
