//! Finds a number by the hash of a key with one look into memory, mostly.
//!
//! Extendible hashing: a directory of pages, by the first bits of the hash; a full page is split in two, so that nothing
//! ever waits for the whole index to grow. A page has 64 lines, each a cache line with twelve numbers and a byte of
//! hash for each. What does not fit its line goes into the next one of the page; a line counts what has passed it.
//!
//! ```text
//! line: [byte of hash, 0 if free: 1 x 12][passed: 1][unused: 3][number: 4 x 12]
//! ```
//!
//! Hashes are seeded with the replica's id, which differs from process to process: whoever wants to make keys collide
//! must know it. If some do, their page stays crowded and the rest goes to an ordered set: slower, by no more than a
//! logarithm.

use std::collections::BTreeSet;
use std::hint::black_box;

use crate::store::region::{Region, SPAN_BYTES};

const SLOTS: usize = 12;
const LINE_BYTES: usize = 64;
const LINES: usize = 64;
const PAGE_BYTES: usize = LINES * LINE_BYTES;
const PAGES_PER_SPAN: usize = SPAN_BYTES / PAGE_BYTES;

/// A page with more is split. At six sevenths, few numbers are beyond their own line.
const FULL: u16 = (LINES * SLOTS * 6 / 7) as u16;

/// What pages can have on average without one of them being full.
const USUAL: usize = FULL as usize * 9 / 10;

/// As many directory entries to a page, at most: equal pages need one, random hashes fewer than four.
const MAX_SPREAD: usize = 8;

/// Where a line counts what has passed it.
const PASSED: usize = SLOTS;

/// A count that has reached this stays: it is not known any more.
const UNCOUNTED: u8 = u8::MAX;

/// The index.
#[derive(Debug)]
pub(super) struct Index {
    /// Pages by the first `depth` bits of the hash.
    directory: Vec<u32>,
    depth: u32,
    pages: Vec<Page>,
    /// Where the pages are.
    spans: Vec<usize>,
    /// What found no place in a page that cannot be split, with its hash.
    crowd: BTreeSet<(u64, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Page {
    /// How many first bits of their hashes all in it share.
    depth: u32,
    len: u16,
}

/// A place in a line.
#[derive(Clone, Copy, Debug)]
struct Place {
    line: usize,
    slot: usize,
}

// === impl Index ===

impl Index {
    pub(super) fn new(region: &mut Region) -> Self {
        let (directory, pages) = (vec![0], vec![Page { depth: 0, len: 0 }]);
        Self { directory, depth: 0, pages, spans: vec![region.add_span()], crowd: BTreeSet::new() }
    }

    /// Of all pages, and of what is kept for the next.
    pub(super) const fn bytes(&self) -> u64 {
        (self.spans.len() * SPAN_BYTES) as u64
    }

    /// The number with this hash that is meant.
    pub(super) fn find(&self, region: &Region, hash: u64, mut meant: impl FnMut(u32) -> bool) -> Option<u32> {
        let page = self.page(hash);
        match self.seek(region, page, hash, &mut meant) {
            Some((_, number)) => Some(number),
            None if self.crowd.is_empty() => None,
            None => self.crowd.range((hash, 0)..=(hash, u32::MAX)).map(|(_, number)| *number).find(|it| meant(*it)),
        }
    }

    /// Asks for the line that will be looked at.
    pub(super) fn warm(&self, region: &Region, hash: u64) {
        black_box(region.at(self.offset(self.page(hash)) + home(hash) * LINE_BYTES)[PASSED]);
    }

    /// Adds a number. `hash_of` says the hashes of those that are there.
    pub(super) fn insert(
        &mut self,
        region: &mut Region,
        hash: u64,
        number: u32,
        hash_of: impl Fn(&Region, u32) -> u64,
    ) {
        let mut page = self.page(hash);
        while self.pages[page].len >= FULL && self.split(region, hash, &hash_of) {
            page = self.page(hash);
        }
        if usize::from(self.pages[page].len) == LINES * SLOTS {
            self.crowd.insert((hash, number));
        } else {
            self.put(region, page, hash, number);
        }
    }

    /// Makes pages for so many numbers at once: it is cheap while there are few.
    pub(super) fn reserve(&mut self, region: &mut Region, numbers: usize, hash_of: impl Fn(&Region, u32) -> u64) {
        let depth = (numbers / USUAL).next_power_of_two().trailing_zeros();
        let mut at = 0;
        while at < self.directory.len() {
            // The entry's own bits are the first of a hash that belongs to its page.
            let hash = (at as u64) << 1 << (63 - self.depth);
            let before = self.depth;
            let page = self.directory[at] as usize;
            if self.pages[page].depth >= depth {
                at += 1;
            } else if !self.split(region, hash, &hash_of) {
                return;
            } else {
                at <<= self.depth - before;
            }
        }
    }

    /// Puts one number in the place of another, both of this hash.
    pub(super) fn replace(&mut self, region: &mut Region, hash: u64, number: u32, by: u32) {
        let page = self.page(hash);
        match self.seek(region, page, hash, |it| it == number) {
            Some((place, _)) => write_number(self.line_mut(region, page, place.line), place.slot, by),
            None if self.crowd.remove(&(hash, number)) => drop(self.crowd.insert((hash, by))),
            None => {}
        }
    }

    /// Removes a number.
    pub(super) fn remove(&mut self, region: &mut Region, hash: u64, number: u32) {
        let page = self.page(hash);
        let Some((place, _)) = self.seek(region, page, hash, |it| it == number) else {
            self.crowd.remove(&(hash, number));
            return;
        };
        self.line_mut(region, page, place.line)[place.slot] = 0;
        self.pages[page].len -= 1;
        let mut line = home(hash);
        while line != place.line {
            let passed = &mut self.line_mut(region, page, line)[PASSED];
            *passed -= u8::from(*passed != UNCOUNTED);
            line = (line + 1) % LINES;
        }
    }

    fn page(&self, hash: u64) -> usize {
        // Two shifts, for one by 64 bits is none.
        self.directory[(hash >> 1 >> (63 - self.depth)) as usize] as usize
    }

    fn seek(
        &self,
        region: &Region,
        page: usize,
        hash: u64,
        mut meant: impl FnMut(u32) -> bool,
    ) -> Option<(Place, u32)> {
        let offset = self.offset(page);
        let mut line = home(hash);
        for _ in 0..LINES {
            let bytes: &[u8; LINE_BYTES] = region.at(offset + line * LINE_BYTES).first_chunk()?;
            for slot in matches(bytes, tag(hash)) {
                let number = read_number(bytes, slot);
                if meant(number) {
                    return Some((Place { line, slot }, number));
                }
            }
            if bytes[PASSED] == 0 {
                break;
            }
            line = (line + 1) % LINES;
        }
        None
    }

    /// Puts a number into a page that has room.
    fn put(&mut self, region: &mut Region, page: usize, hash: u64, number: u32) {
        self.pages[page].len += 1;
        let mut line = home(hash);
        for _ in 0..LINES {
            let bytes = self.line_mut(region, page, line);
            if let Some(slot) = matches(bytes, 0).next() {
                bytes[slot] = tag(hash);
                write_number(bytes, slot, number);
                return;
            }
            bytes[PASSED] = bytes[PASSED].saturating_add(1);
            line = (line + 1) % LINES;
        }
    }

    /// Makes two pages of one, unless that would take a directory out of all proportion.
    fn split(&mut self, region: &mut Region, hash: u64, hash_of: &impl Fn(&Region, u32) -> u64) -> bool {
        let page = self.page(hash);
        let depth = self.pages[page].depth;
        if depth == self.depth {
            if self.directory.len() * 2 > self.pages.len() * MAX_SPREAD {
                return false;
            }
            self.directory = self.directory.iter().flat_map(|page| [*page; 2]).collect();
            self.depth += 1;
        }
        let mut numbers = Vec::with_capacity(usize::from(self.pages[page].len));
        for line in 0..LINES {
            let bytes = self.line_mut(region, page, line);
            numbers.extend((0..SLOTS).filter(|slot| bytes[*slot] != 0).map(|slot| read_number(bytes, slot)));
            bytes.fill(0);
        }
        let other = self.pages.len();
        if other == self.spans.len() * PAGES_PER_SPAN {
            self.spans.push(region.add_span());
        }
        self.pages[page] = Page { depth: depth + 1, len: 0 };
        self.pages.push(Page { depth: depth + 1, len: 0 });
        // The directory's entries of one page lie side by side; the later half is the new page's.
        let entries = 1 << (self.depth - depth);
        let first = (hash >> 1 >> (63 - depth)) as usize * entries;
        self.directory[first + entries / 2..first + entries].fill(other as u32);
        for number in numbers {
            let hash = hash_of(region, number);
            self.put(region, self.page(hash), hash, number);
        }
        true
    }

    fn offset(&self, page: usize) -> usize {
        self.spans[page / PAGES_PER_SPAN] + page % PAGES_PER_SPAN * PAGE_BYTES
    }

    fn line_mut<'a>(&self, region: &'a mut Region, page: usize, line: usize) -> &'a mut [u8] {
        &mut region.at_mut(self.offset(page) + line * LINE_BYTES)[..LINE_BYTES]
    }
}

/// The line in which a number is looked for first.
const fn home(hash: u64) -> usize {
    (hash >> 8) as usize % LINES
}

/// The byte that stands for the hash in its line.
fn tag(hash: u64) -> u8 {
    (hash as u8).max(1)
}

/// The slots of a line with a byte of hash; all at once, in the bits of one number.
fn matches(line: &[u8], tag: u8) -> impl Iterator<Item = usize> + use<> {
    const LOW: u128 = u128::MAX / 0xFF * 0x7F;
    const TAGS: u128 = (1 << (8 * SLOTS)) - 1;
    let tags = line.first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes));
    let differ = tags ^ (u128::MAX / 0xFF * u128::from(tag));
    let mut same = !(((differ & LOW) + LOW) | differ | LOW) & TAGS;
    std::iter::from_fn(move || {
        let slot = (same != 0).then(|| same.trailing_zeros() as usize / 8)?;
        same &= same - 1;
        Some(slot)
    })
}

fn read_number(line: &[u8], slot: usize) -> u32 {
    let bytes = line[number_at(slot)..].first_chunk();
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn write_number(line: &mut [u8], slot: usize, number: u32) {
    line[number_at(slot)..][..4].copy_from_slice(&number.to_le_bytes());
}

const fn number_at(slot: usize) -> usize {
    LINE_BYTES - 4 * (SLOTS - slot)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Adds and removes numbers by turns; each is its own key, with the hash given.
    fn keeps_what_is_in_it(hash_of: fn(u32) -> u64) {
        let mut region = Region::default();
        let mut index = Index::new(&mut region);
        let mut model = BTreeSet::new();
        for step in 0..60_000_u32 {
            let number = step.wrapping_mul(2_654_435_761) % 20_011;
            if model.remove(&number) {
                index.remove(&mut region, hash_of(number), number);
            } else {
                model.insert(number);
                index.insert(&mut region, hash_of(number), number, |_, number| hash_of(number));
            }
        }
        for number in 0..20_011 {
            let found = index.find(&region, hash_of(number), |it| it == number);
            assert_eq!(found, model.contains(&number).then_some(number));
        }
    }

    #[test]
    fn numbers_are_found_until_they_are_removed() {
        keeps_what_is_in_it(|number| xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes()));
    }

    #[test]
    fn colliding_hashes_cost_time_and_no_number() {
        keeps_what_is_in_it(|number| u64::from(number % 7) << 60 | u64::from(number % 5));
    }

    #[test]
    fn pages_that_were_made_at_once_are_those_that_would_have_come() {
        let hash_of = |number: u32| xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes());
        let mut region = Region::default();
        let [mut grown, mut made] = [Index::new(&mut region), Index::new(&mut region)];
        for number in 0..60_000_u32 {
            if number.is_power_of_two() {
                made.reserve(&mut region, 60_000.min(16 * number as usize), |_, number| hash_of(number));
            }
            grown.insert(&mut region, hash_of(number), number, |_, number| hash_of(number));
            made.insert(&mut region, hash_of(number), number, |_, number| hash_of(number));
        }
        assert_eq!((grown.depth, grown.pages.len()), (made.depth, made.pages.len()));
        for number in 0..60_000 {
            assert_eq!(made.find(&region, hash_of(number), |it| it == number), Some(number));
        }
    }

    #[test]
    fn a_replaced_number_is_found_in_the_place_of_the_other() {
        let mut region = Region::default();
        let mut index = Index::new(&mut region);
        let hash_of = |_: &Region, _| 5;
        for number in 0..1_000 {
            index.insert(&mut region, 5, number, hash_of);
        }
        for number in 0..1_000 {
            index.replace(&mut region, 5, number, number + 1_000);
        }
        for number in 0..1_000 {
            assert_eq!(index.find(&region, 5, |it| it == number), None);
            assert_eq!(index.find(&region, 5, |it| it == number + 1_000), Some(number + 1_000));
        }
    }
}
