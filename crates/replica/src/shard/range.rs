//! Ranges as they arrive: applied with the one join rule.

use crate::counter::{self, MAX_RETIRED};
use crate::log::Slot;
use crate::mutant::{Mutant, active};
use crate::shard::adopt::has_not_seen;
use crate::shard::{ProtocolError, Shard};
use crate::store::{Keep, RecordId, Store};
use crate::{Dot, Entry, Key, Owner, Range, RangeItem, VersionVector};

// === impl Shard ===

impl Shard {
    /// Joins what a range carries and claims it if nothing is missing below it. Says whether the clock moved.
    pub(super) fn apply_range(&mut self, range: Range, now: u64) -> Result<bool, ProtocolError> {
        let Range { origin, from, to, .. } = range;
        if !range.is_whole() && !active(Mutant::TornRangeTaken) {
            return Err(ProtocolError::TornRange { origin, from, to });
        }
        self.note_token(range.token);
        self.level = self.level.max(range.level);
        let known = self.clock.get(origin);
        let claims = self.roster.lists(origin) && (known >= from || active(Mutant::ClaimOverGap)) && to > known;
        let mut next = self.clock.clone();
        if claims {
            next.raise(origin, to);
        }
        self.store.expect_keys(range.items.iter().map(|item| item.key.borrow()));
        let mut slots = Vec::new();
        for RangeItem { key, slots: counters, entry } in range.items {
            let fresh = counters.iter().filter(|counter| claims && **counter > known);
            let count = fresh.clone().count() as u32;
            let record = self.join_entry(&key, entry, count, |_| false, &next, now);
            slots.extend(record.into_iter().flat_map(|record| fresh.clone().map(move |counter| (*counter, record))));
        }
        if !claims {
            return Ok(false);
        }
        slots.sort_unstable_by_key(|(counter, _)| *counter);
        let mut continued = range.continued;
        continued.sort_unstable();
        for (counter, record) in slots {
            let continues = continued.binary_search(&counter).is_ok();
            self.log.push(origin, Slot { counter, record, continues });
        }
        self.raise_clock(origin, to + u64::from(active(Mutant::RangeClaimsOneMore)));
        self.release_cut_slots();
        Ok(true)
    }

    /// Joins one entry, for which the log gets so many slots. `next` is the clock after the message. `absent` says, in a
    /// full-state transfer, what the sender has seen.
    pub(super) fn join_entry(
        &mut self,
        key: &Key,
        entry: Entry,
        slots: u32,
        absent: impl Fn(Dot) -> bool,
        next: &VersionVector,
        now: u64,
    ) -> Option<RecordId> {
        for version in entry.versions() {
            self.hlc.observe(version.hlc, now);
            self.note_token(version.owner.as_ref().map_or(0, |owner| owner.token));
        }
        let knows_retired = if slots == 0 { self.knows_retired() } else { !self.is_joining() };
        self.drop_expired(key, now);
        let Self { clock, roster, store, .. } = self;
        let seen = |dot: Dot| clock.covers(dot) || (knows_retired && !roster.lists(dot.replica));
        let seen_then = |dot: Dot| next.covers(dot) || !roster.lists(dot.replica);
        let (mut owners, mut overtaken) = ((None, None), None);
        let arriving = entry.owner().copied();
        let (record, (has_context, is_crowded)) = match overwrite(store, key, slots, entry, seen, seen_then) {
            Ok(record) => (Some(record), (true, false)),
            Err(entry) => store.change(key, slots, seen_then, |mine| {
                owners.0 = mine.owner().copied();
                mine.join(entry, seen, absent);
                mine.expire(now);
                owners.1 = mine.owner().copied();
                // One that was seen and is not here has ended.
                let is_news =
                    |owner: &Owner| !seen(owner.since) || owners.0.is_some_and(|mine| mine.since == owner.since);
                let latest = owners.0.into_iter().chain(arriving.filter(is_news)).max_by_key(Owner::rank);
                overtaken = latest.filter(|owner| has_not_seen(mine, owner));
                (!mine.context().is_empty(), counter::retired(mine, roster) > MAX_RETIRED)
            }),
        };
        self.recheck_overtaken(key);
        let last = overtaken.filter(|_| !active(Mutant::SayingAgainConfirms)).or(owners.1);
        self.note_owner(key, record, owners.0, last);
        if let Some(owner) = overtaken {
            self.note_overtaken(key, owner);
        }
        if slots > 0 && is_crowded {
            self.crowded.push(key.clone());
        }
        if let Some(record) = record.filter(|_| slots == 0 && has_context) {
            self.unpurged.look_at(record);
        }
        record
    }
}

/// The usual join, in fewer steps: one new version that has superseded the only one which is here. Gives the entry back
/// if it is not so.
fn overwrite(
    store: &mut Store,
    key: &Key,
    slots: u32,
    mut entry: Entry,
    seen: impl Fn(Dot) -> bool,
    seen_then: impl Fn(Dot) -> bool,
) -> Result<RecordId, Entry> {
    let is_one = matches!(entry.versions(), [version] if !seen(version.dot));
    let Some(version) = entry.versions.pop_if(|_| is_one) else { return Err(entry) };
    let superseded = |old: Dot| entry.context.covers(old).then(|| entry.context.clone());
    store.replace(key, Keep::Superseded { slots }, seen_then, version, superseded).map_err(|version| {
        entry.versions.push(version);
        entry
    })
}
