//! The last events, in order.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use baton_replica::ReplicaId;

use crate::engine::feed::{Event, Position, What};

/// Events kept: a watcher may be away, or slow, for a second of sixteen thousand changes.
const MAX_EVENTS: usize = 16_384;

/// Bytes of events kept. The newest stays even if it has more alone: two of the largest values, encoded.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The events.
pub(super) struct Ring {
    epoch: u64,
    /// The number of the next event.
    next: u64,
    events: VecDeque<Arc<Event>>,
    bytes: usize,
}

/// What is there from a position on.
pub(super) enum Found {
    Events(Vec<Arc<Event>>),
    /// What followed it is not there any more; this is where it goes on.
    Lost(Position),
}

// === impl Ring ===

impl Ring {
    pub(super) const fn new(epoch: u64) -> Self {
        Self { epoch, next: 1, events: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn push(&mut self, what: What, me: ReplicaId) {
        let event = Event { position: self.end(), what, me, text: OnceLock::new(), diff: OnceLock::new() };
        self.next += 1;
        self.bytes += event.size();
        self.events.push_back(Arc::new(event));
        while self.events.len() > MAX_EVENTS || (self.bytes > MAX_BYTES && self.events.len() > 1) {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.size();
        }
    }

    /// Forgets everything, and that anything follows on it.
    pub(super) fn interrupt(&mut self) {
        *self = Self::new(self.epoch.wrapping_add(1));
    }

    /// Where the next event will be.
    pub(super) const fn end(&self) -> Position {
        Position { epoch: self.epoch, number: self.next }
    }

    /// The position after an event that somebody has seen, if all that follows it is there.
    pub(super) fn after(&self, seen: Position) -> Option<Position> {
        let next = Position { number: seen.number.checked_add(1)?, ..seen };
        self.holds_from(next).then_some(next)
    }

    /// The events from a position on, at most so many.
    pub(super) fn from(&self, next: Position, most: usize) -> Found {
        if !self.holds_from(next) {
            return Found::Lost(self.end());
        }
        let skip = (next.number - self.start()) as usize;
        Found::Events(self.events.range(skip..).take(most).cloned().collect())
    }

    fn holds_from(&self, next: Position) -> bool {
        next.epoch == self.epoch && (self.start()..=self.next).contains(&next.number)
    }

    /// The number of the oldest event, or of the next if there is none.
    fn start(&self) -> u64 {
        self.next - self.events.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use baton_replica::{Change, Key, MapName, State, Tag, Value};
    use bytes::Bytes;

    use super::*;

    fn me() -> ReplicaId {
        ReplicaId::new(7).expect("not zero")
    }

    fn change(bytes: usize) -> What {
        let key = Key::new(&MapName::parse("m").expect("a name"), b"k").expect("a key");
        let tag: Tag = "00000000000000aa.1".parse().expect("a tag");
        let value = Value { content_type: Box::default(), body: Bytes::from(vec![0; bytes]) };
        let state = State { value, tag, owner: None, expires_at: None };
        What::Change(Change { key, before: None, after: Some(state) })
    }

    fn numbers(found: Found) -> Option<Vec<u64>> {
        match found {
            Found::Events(events) => Some(events.iter().map(|event| event.position.number).collect()),
            Found::Lost(_) => None,
        }
    }

    #[test]
    fn who_reads_on_gets_every_event_once_and_who_lags_is_told() {
        let mut ring = Ring::new(5);
        let start = ring.end();
        (0..10).for_each(|_| ring.push(change(1), me()));
        assert_eq!(numbers(ring.from(start, 3)), Some(vec![1, 2, 3]));
        let fourth = Position { number: 4, ..start };
        assert_eq!(numbers(ring.from(fourth, 100)), Some((4..=10).collect()));
        assert_eq!(numbers(ring.from(ring.end(), 100)), Some(vec![]));
        assert_eq!(ring.after(Position { number: 10, ..start }), Some(ring.end()));
        assert_eq!(ring.after(Position { number: 11, ..start }), None, "nobody has seen what has not happened");
        (0..MAX_EVENTS).for_each(|_| ring.push(change(1), me()));
        assert_eq!(numbers(ring.from(fourth, 1)), None);
        assert_eq!(ring.after(Position { number: 10, ..start }).map(|next| next.number), Some(11));
        assert_eq!(ring.after(Position { number: 9, ..start }), None);
        assert_eq!(ring.after(Position { number: u64::MAX, ..start }), None);
    }

    #[test]
    fn large_values_leave_fewer_events() {
        let mut ring = Ring::new(5);
        (0..100).for_each(|_| ring.push(change(1024 * 1024), me()));
        assert!(ring.events.len() < 8 && ring.bytes <= MAX_BYTES, "{}", ring.events.len());
        ring.push(change(MAX_BYTES), me());
        assert_eq!(ring.events.len(), 1);
        ring.push(change(1), me());
        assert_eq!((ring.events.len(), ring.bytes), (1, ring.events[0].size()));
    }

    #[test]
    fn nothing_follows_on_an_interruption() {
        let mut ring = Ring::new(5);
        ring.push(change(1), me());
        let seen = Position { epoch: 5, number: 1 };
        assert!(ring.after(seen).is_some());
        ring.interrupt();
        ring.push(change(1), me());
        assert_eq!((ring.after(seen), numbers(ring.from(seen, 1))), (None, None));
        assert!(ring.after(ring.end().before()).is_some());
    }
}
