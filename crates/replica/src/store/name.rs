//! Replica ids and names of maps as small numbers: most records name one of a handful.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// The number that stands for a name which has none: more are in use than there are numbers.
pub(super) const UNNAMED: u16 = 0x1FFF;

/// Names in use, each with how often it is.
#[derive(Debug)]
pub(super) struct Names<T> {
    by_number: Vec<Name<T>>,
    numbers: BTreeMap<T, u16>,
    free: Vec<u16>,
    /// The last that was asked for.
    last: usize,
}

#[derive(Debug)]
struct Name<T> {
    name: T,
    uses: usize,
}

// === impl Names ===

impl<T: Ord + Clone> Names<T> {
    /// One more use of a name.
    pub(super) fn acquire<Q: Ord + ToOwned<Owned = T> + ?Sized>(&mut self, name: &Q) -> u16
    where
        T: Borrow<Q>,
    {
        let is_last = self.by_number.get(self.last).is_some_and(|last| last.name.borrow() == name && last.uses > 0);
        if !is_last {
            let number = self.numbers.get(name).copied().unwrap_or_else(|| self.insert(name.to_owned()));
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
            self.numbers.remove(&name.name);
            self.free.push(number);
        }
    }

    /// The name of a number in use.
    pub(super) fn get(&self, number: u16) -> Option<&T> {
        self.by_number.get(usize::from(number)).map(|name| &name.name)
    }

    fn insert(&mut self, name: T) -> u16 {
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.by_number.len() < usize::from(UNNAMED) => self.by_number.len() as u16,
            None => return UNNAMED,
        };
        self.numbers.insert(name.clone(), number);
        let name = Name { name, uses: 0 };
        match self.by_number.get_mut(usize::from(number)) {
            Some(place) => *place = name,
            None => self.by_number.push(name),
        }
        number
    }
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { by_number: Vec::new(), numbers: BTreeMap::new(), free: Vec::new(), last: 0 }
    }
}
