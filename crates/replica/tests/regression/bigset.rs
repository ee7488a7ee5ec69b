//! The counterexamples that property tests of Riak's big sets kept (`russelldb/bigsets`, `*.eqc`), step by step.
//!
//! There an element is added, removed, replicated as a delta, compacted away and handed off between replicas; here it is a
//! key, a transfer stands for the handoff, and purging for the compaction.

use baton_replica::{ReplicaId, ShardMessage};

use crate::harness::{World, key, live_state, roomy, tight};

const fn is_range(message: &ShardMessage) -> bool {
    matches!(message, ShardMessage::Range(_))
}

fn apart<const N: usize>() -> (World, [ReplicaId; N]) {
    let (mut world, ids) = World::group::<N>(tight(64));
    for a in ids {
        for b in ids.into_iter().filter(|b| a < *b) {
            world.part(a, b);
        }
    }
    (world, ids)
}

/// Lets two talk, and parts them again.
fn meet(world: &mut World, a: ReplicaId, b: ReplicaId) {
    world.connect(a, b);
    world.exchange(a, b);
    world.part(a, b);
}

fn agree(world: &mut World, names: &[&str]) {
    world.settle();
    world.assert_settled();
    for id in world.ids() {
        assert_eq!(world.names(id), names, "{id}");
    }
}

/// `action-at-a-distance`: a remove that has seen one of two adds took the other with it, on a replica that it had not seen.
#[test]
pub(crate) fn a_remove_takes_what_it_has_seen_and_nothing_at_a_distance() {
    let (mut world, [x, y, z]) = apart();
    world.put(y, &key("Y"));
    meet(&mut world, y, x);
    world.put(x, &key("Y"));
    meet(&mut world, x, z);
    let spared = world.put(y, &key("Y")).expect("live");
    world.delete(z, &key("Y"));
    meet(&mut world, z, x);
    assert!(world.names(x).is_empty());
    agree(&mut world, &["Y"]);
    assert_eq!(live_state(world.shard(x))[&key("Y")], [spared].into());
}

/// `deltas-not-ctx`: the delta of a remove came before that of the add which it removes, and the add came to life.
#[test]
fn an_add_that_comes_after_its_remove_stays_removed() {
    let (mut world, [x, y]) = World::group(tight(64));
    world.put(x, &key("X"));
    assert!(world.exchange_until(x, y, is_range));
    let Some(ShardMessage::Range(add)) = world.network.peek(x, y).cloned() else { unreachable!("just seen") };
    world.part(x, y);
    world.put(x, &key("X"));
    world.delete(x, &key("X"));
    world.connect(x, y);
    world.exchange(x, y);
    let (link, now) = (world.network.link(x, y).expect("up"), world.now);
    world.node(y).handle(x, link, ShardMessage::Range(add), now).expect("whole");
    assert!(world.names(y).is_empty());
    world.put(y, &key("A"));
    agree(&mut world, &["A"]);
}

/// `handoff-faile`: a handoff from one who had added, removed and forgotten said nothing of the removed add, whose delta came
/// late to the receiver and came to life.
#[test]
pub(crate) fn a_transfer_from_one_who_has_forgotten_a_remove_still_says_it() {
    let (mut world, [x]) = World::group(tight(2));
    world.put(x, &key("D"));
    let add: Vec<_> = world.shard(x).entries().collect();
    world.delete(x, &key("D"));
    assert_eq!(world.shard(x).remembered_keys(), 0, "with no other member all is stable at once");
    let y = world.spawn();
    world.settle();
    let (link, now) = (world.network.link(x, y).expect("up"), world.now);
    let (late_key, entry) = add[0].clone();
    let item = baton_replica::RangeItem { key: late_key, slots: vec![1], entry };
    let range = baton_replica::Range {
        origin: x,
        from: 0,
        to: 1,
        items: vec![item],
        continued: Vec::new(),
        token: 0,
        level: 0,
    };
    world.node(y).handle(x, link, ShardMessage::Range(range), now).expect("whole");
    agree(&mut world, &[]);
}

/// `hoff-filter-ce`: what one had removed and forgotten was handed to the one who had added it, who kept it.
#[test]
fn a_transfer_takes_back_what_its_sender_has_removed_and_forgotten() {
    let (mut world, [x, y]) = World::group(tight(2));
    world.put(x, &key("A"));
    world.put(x, &key("A"));
    world.settle();
    world.part(x, y);
    world.delete(y, &key("A"));
    for number in 0..6 {
        world.put(y, &key(&format!("b{number}")));
    }
    world.connect(x, y);
    assert!(world.exchange_until(y, x, |message| matches!(message, ShardMessage::Chunk(_))));
    world.put(x, &key("B"));
    agree(&mut world, &["B", "b0", "b1", "b2", "b3", "b4", "b5"]);
}

/// `just-clock-merge-handoff`: the handoff of an emptied set is its clock, and a receiver that merged just the clock kept
/// the element that the clock says is gone.
#[test]
fn a_transfer_of_nothing_but_a_clock_removes_what_the_clock_has_seen() {
    let (mut world, [x, y]) = World::group(tight(2));
    world.put(x, &key("D"));
    world.settle();
    world.part(x, y);
    world.delete(x, &key("D"));
    for _ in 0..3 {
        world.put(x, &key("a"));
        world.delete(x, &key("a"));
    }
    world.connect(x, y);
    assert!(world.exchange_until(x, y, |message| matches!(message, ShardMessage::Chunk(_))));
    agree(&mut world, &[]);
}

/// `trans-hoff`: the removal arrived by handoff, and the handoff from there to a third lost it.
#[test]
pub(crate) fn a_removal_that_came_by_transfer_goes_on_by_transfer() {
    let (mut world, [x, y, z]) = World::group(tight(2));
    world.put(x, &key("Z"));
    world.settle();
    for (a, b) in [(x, y), (y, z), (x, z)] {
        world.part(a, b);
    }
    world.delete(x, &key("Z"));
    for _ in 0..3 {
        world.put(x, &key("a"));
    }
    meet(&mut world, x, y);
    assert_eq!(world.names(y), ["a"]);
    world.crash(x);
    meet(&mut world, y, z);
    assert_eq!(world.names(z), ["a"]);
    agree(&mut world, &["a"]);
}

/// `tombstone-cruft`: removes of what was never there, and of what a handoff was just bringing, left tombstones for ever.
#[test]
fn removes_during_a_transfer_leave_no_tombstone() {
    let (mut world, [x]) = World::group(tight(64));
    world.put(x, &key("A"));
    let y = world.spawn();
    world.connect(x, y);
    assert!(world.exchange_until(x, y, |message| matches!(message, ShardMessage::Chunk(_))));
    world.delete(x, &key("A"));
    assert_eq!(world.delete(y, &key("A")), None, "it holds nothing yet");
    agree(&mut world, &[]);
    assert_eq!([x, y].map(|id| world.shard(id).remembered_keys()), [0, 0]);
}

/// `transitive-handoff-ce`: an element that came by handoff and was handed on while its first handoff was still going.
#[test]
fn an_element_is_handed_on_by_one_who_got_it_by_transfer() {
    let (mut world, [x, y, z]) = World::group(roomy());
    for (a, b) in [(x, y), (y, z), (x, z)] {
        world.part(a, b);
    }
    world.put(y, &key("C"));
    meet(&mut world, y, z);
    world.crash(y);
    meet(&mut world, z, x);
    assert_eq!(world.names(x), ["C"]);
    agree(&mut world, &["C"]);
}
