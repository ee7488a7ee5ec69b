//! In which order the shards of one link have their turn: the most urgent messages of all of them first.

use std::collections::VecDeque;

use baton_replica::Urgency;

/// The shards that may have something to send.
#[derive(Debug)]
pub(super) struct Order {
    /// By how urgent it may be, the most urgent last.
    waiting: [VecDeque<usize>; 3],
}

// === impl Order ===

impl Order {
    pub(super) const fn new() -> Self {
        Self { waiting: [VecDeque::new(), VecDeque::new(), VecDeque::new()] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.iter().all(VecDeque::is_empty)
    }

    /// A shard may have something that is at most so urgent.
    pub(super) fn add(&mut self, shard: usize, most: Urgency) {
        let waiting = &mut self.waiting[most as usize];
        if !waiting.contains(&shard) {
            waiting.push_back(shard);
        }
    }

    /// Whom to ask next, and for messages that are at least so urgent.
    pub(super) fn next(&self) -> Option<(usize, Urgency)> {
        let ranks = [Urgency::Alone, Urgency::Held, Urgency::Backfill];
        let first = |urgency: Urgency| Some((*self.waiting[urgency as usize].front()?, urgency));
        let (shard, urgency) = ranks.into_iter().find_map(first)?;
        let is_only = self.waiting.iter().map(VecDeque::len).sum::<usize>() == 1;
        // Each shard has an order of its own.
        Some((shard, if is_only { Urgency::Backfill } else { urgency }))
    }

    /// Whoever was to be asked next has nothing so urgent.
    pub(super) fn pass(&mut self) {
        let Some((shard, least)) = self.next() else { return };
        for waiting in self.waiting.iter_mut().rev() {
            if waiting.front() == Some(&shard) {
                waiting.pop_front();
                break;
            }
        }
        match least {
            Urgency::Alone => self.add(shard, Urgency::Held),
            Urgency::Held => self.add(shard, Urgency::Backfill),
            Urgency::Backfill => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks all shards that wait until none has anything; says what came in which order. `has` is what each has left.
    fn sent(order: &mut Order, has: &mut [Vec<Urgency>]) -> Vec<(usize, Urgency)> {
        let mut sent = Vec::new();
        while let Some((shard, least)) = order.next() {
            match has[shard].pop_if(|urgency| *urgency >= least) {
                Some(urgency) => sent.push((shard, urgency)),
                None => order.pass(),
            }
        }
        sent
    }

    #[test]
    fn what_is_urgent_in_any_shard_goes_before_what_is_not_in_another() {
        use Urgency::{Alone, Backfill, Held};
        let mut has = [vec![Backfill, Held], vec![Backfill, Held, Alone], vec![Alone], vec![]];
        let mut order = Order::new();
        (0..4).for_each(|shard| order.add(shard, Alone));
        let expected = [(1, Alone), (2, Alone), (0, Held), (1, Held), (0, Backfill), (1, Backfill)];
        assert_eq!(sent(&mut order, &mut has), expected);
        assert!(order.is_empty());
    }

    #[test]
    fn a_write_that_comes_while_another_shard_is_transferred_goes_before_the_rest_of_it() {
        use Urgency::{Backfill, Held};
        let mut order = Order::new();
        order.add(0, Held);
        assert_eq!(order.next(), Some((0, Backfill)), "who is alone is asked once");
        order.add(1, Held);
        assert_eq!(order.next(), Some((0, Held)));
        order.pass();
        assert_eq!(order.next(), Some((1, Held)));
        let mut has = [vec![Backfill, Backfill], vec![Held]];
        assert_eq!(sent(&mut order, &mut has), [(1, Held), (0, Backfill), (0, Backfill)]);
    }

    #[test]
    fn who_is_marked_twice_waits_once() {
        let mut order = Order::new();
        [1, 1, 1].into_iter().for_each(|shard| order.add(shard, Urgency::Alone));
        order.pass();
        assert!(order.is_empty());
    }
}
