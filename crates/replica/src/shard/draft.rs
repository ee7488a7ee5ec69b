//! Ranges to send: made from the log window, and cut into messages.
//!
//! A range is not cut inside a batch: whoever has a part of it would claim a part of the batch. If the entries of a batch
//! do not fit into one message, some are sent ahead, in messages that claim nothing. The range, which comes last, says of
//! their keys only which slots they have.

use std::collections::BTreeMap;

use crate::mutant::{Mutant, active};
use crate::packed::MAX_PARTS;
use crate::shard::Shard;
use crate::store::RecordId;
use crate::{Dot, Entry, Key, Range, RangeItem, ReplicaId};

/// Framing of an item on the wire, about.
const ITEM_OVERHEAD: usize = 48;

/// What an item takes, about, with a value of the usual size.
const USUAL_ITEM_BYTES: usize = 256;

/// What of a range was sent ahead on a link: the entries of all of its slots up to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ahead {
    /// Where the range begins.
    from: u64,
    /// The last slot whose entry was sent.
    through: u64,
    /// What was known of the origin before any was sent: each of the entries has all of these writes.
    known: u64,
}

/// A message of a range: the range itself, or entries that are sent ahead of it.
pub(super) struct Draft {
    pub(super) range: Range,
    /// What was sent of the range with this message, if there is more to send.
    pub(super) ahead: Option<Ahead>,
}

/// Entries of one message.
#[derive(Default)]
struct Load {
    places: BTreeMap<RecordId, usize>,
    items: Vec<RangeItem>,
    bytes: usize,
    parts: usize,
    /// How many of the items have entries here.
    entries: usize,
}

// === impl Load ===

impl Load {
    /// Adds a slot of a record that is in already.
    fn add_slot(&mut self, record: RecordId, counter: u64) -> bool {
        let Some(place) = self.places.get(&record) else { return false };
        self.items[*place].slots.push(counter);
        true
    }

    fn add(&mut self, record: RecordId, key: Key, counter: u64, entry: Entry) {
        self.bytes += weight(&key, &entry);
        self.parts += parts(&entry);
        self.places.insert(record, self.items.len());
        self.items.push(RangeItem { key, slots: vec![counter], entry });
    }

    /// Whether one entry more fits. The first does, however large it is.
    fn fits(&self, key: &Key, entry: &Entry, bytes: usize) -> bool {
        let is_small = self.bytes + weight(key, entry) <= bytes && self.parts + parts(entry) <= MAX_PARTS / 2;
        self.entries == 0 || is_small
    }
}

// === impl Shard ===

impl Shard {
    /// The range of an origin from a counter: everything that is known of it, up to the batch limit, or what goes ahead of
    /// it. `None` if the window starts too late.
    pub(super) fn make_range(&self, origin: ReplicaId, from: u64, ahead: Option<Ahead>) -> Option<Draft> {
        if from < self.log.start(origin) {
            return None;
        }
        let now = self.clock.get(origin);
        let ahead = ahead.filter(|ahead| ahead.from == from).unwrap_or(Ahead { from, through: from, known: now });
        // What was sent ahead may lack what was written to its keys since: the next range has it.
        let known = if active(Mutant::AheadOfLaterWrites) { now } else { now.min(ahead.known) };
        let (mut load, mut continued) = (Load::default(), Vec::new());
        let (mut to, mut inside) = (from, false);
        // As many as a batch has room for, about.
        let usual = self.limits.batch_bytes / USUAL_ITEM_BYTES;
        self.store.expect(self.log.slots(origin, from).take(usual).map(|slot| slot.record));
        let mut slots = self.log.slots(origin, from).take_while(|slot| slot.counter <= known).peekable();
        while let Some(slot) = slots.next_if(|_| inside || load.bytes < self.limits.batch_bytes) {
            if !load.add_slot(slot.record, slot.counter) {
                let key = self.store.key(slot.record);
                let is_here = slot.counter > ahead.through;
                let entry = self.store.entry(slot.record).filter(|_| is_here).unwrap_or_default().into_owned();
                if is_here && !load.fits(&key, &entry, self.limits.message_bytes) {
                    if inside {
                        let through = if active(Mutant::AheadSkipsOne) { slot.counter } else { to };
                        return Some(self.ahead_of(origin, Ahead { through, ..ahead }, load.items, ahead.through));
                    }
                    break;
                }
                load.entries += usize::from(is_here);
                load.add(slot.record, key, slot.counter, entry);
            }
            if slot.continues {
                continued.push(slot.counter);
            }
            // Peers see all writes of a batch, or none.
            inside = slot.continues && !active(Mutant::BatchTorn);
            to = slot.counter;
        }
        let mut items = load.items;
        if active(Mutant::LogCompacted) {
            let here = |dot: Dot| dot.replica == origin && dot.counter > from && dot.counter <= to;
            let later = |item: &&mut RangeItem| !item.entry.versions().iter().any(|version| here(version.dot));
            items.iter_mut().filter(later).for_each(|item| item.entry = Entry::default());
        }
        let (token, level) = self.passed_on();
        Some(Draft { range: Range { origin, from, to, items, continued, token, level }, ahead: None })
    }

    /// What goes along with entries: the highest token that was seen, and the most acknowledgements that were asked for.
    pub(super) fn passed_on(&self) -> (u64, u32) {
        let token = if active(Mutant::TokensStayHere) { 0 } else { self.tokens };
        let level = if active(Mutant::LevelStaysHere) { 0 } else { self.level };
        (token, level)
    }

    /// Entries without slots, of which nothing can be claimed; not those that were sent before.
    fn ahead_of(&self, origin: ReplicaId, ahead: Ahead, items: Vec<RangeItem>, before: u64) -> Draft {
        let is_new = |item: &RangeItem| item.slots.first().is_some_and(|first| *first > before);
        let items = items.into_iter().filter(is_new).map(|item| RangeItem { slots: Vec::new(), ..item }).collect();
        let (from, (token, level)) = (ahead.from, self.passed_on());
        let range = Range { origin, from, to: from, items, continued: Vec::new(), token, level };
        Draft { range, ahead: Some(ahead) }
    }
}

/// Roughly what an entry takes on the wire.
pub(super) fn weight(key: &Key, entry: &Entry) -> usize {
    let dots = entry.versions().len() + entry.context().len();
    key.as_bytes().len() + entry.size() + ITEM_OVERHEAD + 24 * dots
}

/// What an entry takes of the parts that whoever unpacks it counts.
fn parts(entry: &Entry) -> usize {
    1 + entry.versions().len() + entry.context().len()
}
