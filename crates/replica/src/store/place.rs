//! Where each record's block is.
//!
//! A list that grows with every record would be moved each time, and leave holes of all sizes behind. This one is in pages,
//! which stay.

use crate::store::arena::Position;

/// Places in a page: one of the system's pages.
const PAGE_LEN: usize = 1024;

/// Names a record of one store; void once the record is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordId(u32);

/// Places by id.
#[derive(Debug, Default)]
pub(super) struct Places {
    pages: Vec<Box<[Position; PAGE_LEN]>>,
    len: u32,
    free: Vec<RecordId>,
}

// === impl RecordId ===

impl RecordId {
    /// Not above any other.
    pub(crate) const FIRST: Self = Self(0);

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// A number below 2^31: what an arena can hold is full before.
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    const fn page(self) -> usize {
        self.0 as usize / PAGE_LEN
    }

    const fn line(self) -> usize {
        self.0 as usize % PAGE_LEN
    }
}

// === impl Places ===

impl Places {
    /// The id of a record that will have a place.
    pub(super) fn add(&mut self) -> RecordId {
        if let Some(id) = self.free.pop() {
            return id;
        }
        let id = RecordId(self.len);
        if id.page() == self.pages.len() {
            self.pages.push(Box::new([Position::NONE; PAGE_LEN]));
        }
        self.len += 1;
        id
    }

    /// The place of a record that has one.
    pub(super) fn get(&self, id: RecordId) -> Position {
        self.pages[id.page()][id.line()]
    }

    /// The place of a record, if there still is such a record.
    pub(super) fn find(&self, id: RecordId) -> Option<Position> {
        let position = self.pages.get(id.page())?[id.line()];
        (position != Position::NONE).then_some(position)
    }

    pub(super) fn set(&mut self, id: RecordId, position: Position) {
        self.pages[id.page()][id.line()] = position;
    }

    /// The record is no more, and its id may become another's.
    pub(super) fn remove(&mut self, id: RecordId) -> Position {
        self.free.push(id);
        std::mem::replace(&mut self.pages[id.page()][id.line()], Position::NONE)
    }

    /// All records, in no order that means anything.
    pub(super) fn ids(&self) -> impl Iterator<Item = RecordId> + '_ {
        (0..self.len).map(RecordId).filter(|id| self.find(*id).is_some())
    }
}
