//! Replica ids as small numbers: most entries name one of a handful.

use std::collections::BTreeMap;

use crate::ReplicaId;

/// The number that stands for an id which has none: more are in use than there are numbers.
pub(super) const UNNAMED: u16 = 0x1FFF;

/// Ids in use, each with how often it is.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_number: Vec<Name>,
    numbers: BTreeMap<ReplicaId, u16>,
    free: Vec<u16>,
    /// The last that was asked for.
    last: usize,
}

#[derive(Debug)]
struct Name {
    id: ReplicaId,
    uses: usize,
}

// === impl Names ===

impl Names {
    /// One more use of an id.
    pub(super) fn acquire(&mut self, id: ReplicaId) -> u16 {
        if self.by_number.get(self.last).is_none_or(|name| name.id != id || name.uses == 0) {
            let number = match self.numbers.get(&id) {
                Some(number) => *number,
                None => self.insert(id),
            };
            self.last = usize::from(number);
        }
        if let Some(name) = self.by_number.get_mut(self.last) {
            name.uses += 1;
        }
        self.last as u16
    }

    /// One use less.
    pub(super) fn release(&mut self, number: u16) {
        let Some(name) = self.by_number.get_mut(usize::from(number)) else { return };
        name.uses -= 1;
        if name.uses == 0 {
            self.numbers.remove(&name.id);
            self.free.push(number);
        }
    }

    /// The id of a number in use.
    pub(super) fn get(&self, number: u16) -> Option<ReplicaId> {
        self.by_number.get(usize::from(number)).map(|name| name.id)
    }

    fn insert(&mut self, id: ReplicaId) -> u16 {
        let name = Name { id, uses: 0 };
        let number = match self.free.pop() {
            Some(number) => {
                self.by_number[usize::from(number)] = name;
                number
            }
            None if self.by_number.len() < usize::from(UNNAMED) => {
                self.by_number.push(name);
                (self.by_number.len() - 1) as u16
            }
            None => return UNNAMED,
        };
        self.numbers.insert(id, number);
        number
    }
}
