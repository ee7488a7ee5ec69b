//! Things by number; a number is used again when its thing is gone.

/// The things.
#[derive(Debug)]
pub(super) struct Slab<T> {
    things: Vec<Option<T>>,
    free: Vec<u32>,
}

// === impl Slab ===

impl<T> Slab<T> {
    pub(super) fn insert(&mut self, thing: T) -> u32 {
        let Some(number) = self.free.pop() else {
            self.things.push(Some(thing));
            return (self.things.len() - 1) as u32;
        };
        self.things[number as usize] = Some(thing);
        number
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.things.get(number as usize)?.as_ref()
    }

    pub(super) fn remove(&mut self, number: u32) {
        if self.things.get_mut(number as usize).and_then(Option::take).is_some() {
            self.free.push(number);
        }
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { things: Vec::new(), free: Vec::new() }
    }
}
