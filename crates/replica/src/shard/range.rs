//! Ranges: made from the log window, applied with the one join rule.

use std::collections::BTreeMap;

use crate::mutant::{Mutant, active};
use crate::shard::{ProtocolError, Shard};
use crate::{Entry, Key, Range, RangeItem, ReplicaId, VersionVector};

/// Framing of an item on the wire, about.
const ITEM_OVERHEAD: usize = 48;

// === impl Shard ===

impl Shard {
    /// The range of an origin from a counter: everything that is known of it, up to the batch limit. `None` if the window
    /// starts too late.
    pub(super) fn make_range(&self, origin: ReplicaId, from: u64) -> Option<Range> {
        if from < self.log.start(origin) {
            return None;
        }
        let known = self.clock.get(origin);
        let mut items: BTreeMap<&Key, (Vec<u64>, Entry)> = BTreeMap::new();
        let mut to = from;
        let mut bytes = 0;
        for (counter, key) in self.log.slots(origin, from).take_while(|(counter, _)| *counter <= known) {
            if bytes >= self.limits.batch_bytes {
                break;
            }
            let (slots, _) = items.entry(key).or_insert_with(|| {
                let entry = self.store.get(key).cloned().unwrap_or_default();
                bytes += weight(key, &entry);
                (Vec::new(), entry)
            });
            slots.push(counter);
            to = counter;
        }
        if active(Mutant::LogCompacted) {
            let here = |dot: crate::Dot| dot.replica == origin && dot.counter > from && dot.counter <= to;
            let later = |entry: &Entry| !entry.versions().iter().any(|version| here(version.dot));
            let dropped = items.values_mut().map(|(_, entry)| entry).filter(|entry| later(entry));
            dropped.for_each(|entry| *entry = Entry::default());
        }
        let items = items.into_iter().map(|(key, (slots, entry))| RangeItem { key: key.clone(), slots, entry });
        Some(Range { origin, from, to, items: items.collect() })
    }

    /// Joins what a range carries and claims it if nothing is missing below it. Says whether the clock moved.
    pub(super) fn apply_range(&mut self, range: Range, now: u64) -> Result<bool, ProtocolError> {
        let Range { origin, from, to, .. } = range;
        if !range.is_whole() {
            return Err(ProtocolError::TornRange { origin, from, to });
        }
        let mut slots = Vec::new();
        for RangeItem { key, slots: counters, entry } in range.items {
            slots.extend(counters.into_iter().map(|counter| (counter, key.clone())));
            self.join_entry(&key, entry, None, now);
        }
        let known = self.clock.get(origin);
        let gap = known < from && !active(Mutant::ClaimOverGap);
        if gap || to <= known {
            return Ok(false);
        }
        slots.sort_unstable_by_key(|(counter, _)| *counter);
        for (counter, key) in slots.into_iter().filter(|(counter, _)| *counter > known) {
            self.log.push(origin, counter, key);
        }
        self.clock.raise(origin, to + u64::from(active(Mutant::RangeClaimsOneMore)));
        Ok(true)
    }

    /// Joins one entry. `absent` is the sender's clock in a full-state transfer.
    pub(super) fn join_entry(&mut self, key: &Key, entry: Entry, absent: Option<&VersionVector>, now: u64) {
        for version in entry.versions() {
            self.hlc.observe(version.hlc, now);
        }
        let covers = &self.clock;
        self.store.change(key, |mine| mine.join(entry, covers, absent));
    }
}

/// Roughly what an entry takes on the wire.
pub(super) fn weight(key: &Key, entry: &Entry) -> usize {
    let dots = entry.versions().len() + entry.context().len();
    key.as_bytes().len() + entry.size() + ITEM_OVERHEAD + 24 * dots
}
