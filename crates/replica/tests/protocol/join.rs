//! Invariant: a join is idempotent, commutative and associative on any split of any transfer, stopped at any point.
//!
//! All that donors with different pasts would send is written down. A receiver that is given it in any order, split, again,
//! or by another way ends in one state: the same entries with the same contexts, and the same clock.

mod donor;

use baton_replica::{Range, ShardMessage};
use proptest::prelude::*;
use proptest::sample::Index;

use donor::{
    RECEIVER, acts, asked_transfer, chunks_of, donors, entries, fall_behind, give, id, joiner, live, ranges_of,
    reconnect, state, tell,
};

proptest! {
    #![proptest_config(crate::harness::config(256))]

    #[test]
    fn ranges_join_to_the_same_in_any_order_split_and_number(
        acts in acts(),
        order in prop::collection::vec(any::<Index>(), 0..60),
    ) {
        let mut messages: Vec<Range> = Vec::new();
        for batch_bytes in [1, 100_000] {
            messages.extend(donors(&acts, batch_bytes).iter_mut().flat_map(ranges_of));
        }
        prop_assume!(!messages.is_empty());
        let mut straight = live(id(RECEIVER), 1);
        give(&mut straight, 1, &messages);

        let mut shuffled = live(id(RECEIVER), 1);
        for at in order {
            give(&mut shuffled, 1, std::slice::from_ref(at.get(&messages)));
        }
        let backwards: Vec<Range> = messages.iter().rev().cloned().collect();
        give(&mut shuffled, 1, &backwards);
        prop_assert_eq!(entries(&shuffled), entries(&straight), "the order of joins matters");
        give(&mut shuffled, 1, &messages);
        prop_assert_eq!(state(&shuffled), state(&straight), "the order of claims matters");
        give(&mut shuffled, 1, &messages);
        prop_assert_eq!(state(&shuffled), state(&straight), "joining again changes something");
    }

    #[test]
    fn a_joiner_ends_like_its_donor_wherever_its_first_transfer_stopped(
        acts in acts(),
        batch_bytes in prop_oneof![Just(1_usize), Just(150), Just(100_000)],
        stop in any::<Index>(),
        goes_on in any::<bool>(),
    ) {
        let mut donors = donors(&acts, batch_bytes);
        let mut shard = joiner();
        let chunks = chunks_of(&mut donors[0], asked_transfer(&mut shard).expect("it wants the state"));
        for chunk in &chunks[..stop.index(chunks.len())] {
            tell(&mut shard, 1, ShardMessage::Chunk(chunk.clone()));
        }
        prop_assert!(shard.clock().is_empty() && shard.is_joining(), "a part of a transfer was claimed");
        reconnect(&mut shard);

        if goes_on {
            let ranges = ranges_of(&mut donors[1]);
            give(&mut donors[0], 2, &ranges);
        }
        for chunk in chunks_of(&mut donors[0], asked_transfer(&mut shard).expect("it asks again")) {
            tell(&mut shard, 1, ShardMessage::Chunk(chunk));
        }
        prop_assert_eq!(state(&shard), state(&donors[0]), "the joiner differs from its donor");
        give(&mut shard, 1, &ranges_of(&mut donors[0]));
        prop_assert_eq!(state(&shard), state(&donors[0]), "what a transfer brought is not taken twice");
    }

    #[test]
    fn a_transfer_and_the_ranges_of_its_donor_are_one_way(
        acts in acts(),
        batch_bytes in prop_oneof![Just(1_usize), Just(150), Just(100_000)],
        earlier in prop::collection::vec(any::<Index>(), 0..40),
        stop in any::<Index>(),
        late in prop::collection::vec(any::<Index>(), 0..10),
    ) {
        let mut donors = donors(&acts, batch_bytes);
        let mut all: Vec<Range> = donors.iter_mut().flat_map(ranges_of).collect();
        all.sort_by_key(|range| (range.from, range.origin));
        prop_assume!(!all.is_empty());
        let of_donor = ranges_of(&mut donors[0]);

        // Both have the same arbitrary part of everybody's writes before.
        let (mut by_transfer, mut by_ranges) = (live(id(RECEIVER), 1), live(id(RECEIVER), 1));
        for at in &earlier {
            give(&mut by_transfer, 1, std::slice::from_ref(at.get(&all)));
            give(&mut by_ranges, 1, std::slice::from_ref(at.get(&all)));
        }
        give(&mut by_ranges, 1, &of_donor);

        fall_behind(&mut by_transfer);
        let before = by_transfer.clock().clone();
        let chunks = chunks_of(&mut donors[0], asked_transfer(&mut by_transfer).expect("it is behind"));
        for chunk in &chunks[..stop.index(chunks.len())] {
            tell(&mut by_transfer, 1, ShardMessage::Chunk(chunk.clone()));
        }
        prop_assert_eq!(by_transfer.clock(), &before, "a part of a transfer was claimed");
        reconnect(&mut by_transfer);
        fall_behind(&mut by_transfer);
        let chunks = chunks_of(&mut donors[0], asked_transfer(&mut by_transfer).expect("it is behind"));
        let (last, first) = chunks.split_last().expect("one at least");
        for chunk in first {
            tell(&mut by_transfer, 1, ShardMessage::Chunk(chunk.clone()));
        }
        // Ranges come in between the chunks.
        for at in &late {
            give(&mut by_transfer, 1, std::slice::from_ref(at.get(&all)));
            give(&mut by_ranges, 1, std::slice::from_ref(at.get(&all)));
        }
        tell(&mut by_transfer, 1, ShardMessage::Chunk(last.clone()));
        prop_assert_eq!(entries(&by_transfer), entries(&by_ranges), "the two ways differ");
        prop_assert_eq!(by_transfer.clock().covers_all(donors[0].clock()), true);
    }
}
