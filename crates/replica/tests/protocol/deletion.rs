//! Invariant: a deleted key does not come back unless it is written again, no matter how late a message or a replica
//! returns. The same holds for an overwritten value.

use std::collections::{BTreeMap, BTreeSet};

use baton_replica::{Dot, ReplicaId};
use proptest::prelude::*;

use crate::harness::{Chances, World, key, roomy, run, schedules};

/// Remembers per process what was alive and what is not any more.
pub(crate) fn check() -> impl FnMut(&World, ReplicaId) {
    let mut seen: BTreeMap<ReplicaId, BTreeSet<Dot>> = BTreeMap::new();
    let mut dead: BTreeMap<ReplicaId, BTreeSet<Dot>> = BTreeMap::new();
    move |world, touched| {
        let shard = world.shard(touched);
        world.oracle.assert_nothing_is_undead(shard);
        let versions = shard.entries().flat_map(|(_, entry)| entry.versions().to_vec()).map(|version| version.dot);
        let alive: BTreeSet<Dot> = versions.collect();
        let seen = seen.entry(touched).or_default();
        let dead = dead.entry(touched).or_default();
        dead.extend(seen.difference(&alive));
        seen.extend(&alive);
        let returned = alive.intersection(dead).next();
        assert_eq!(returned, None, "a version came back at {touched}");
    }
}

proptest! {
    #![proptest_config(crate::harness::config(192))]

    #[test]
    fn what_was_deleted_stays_deleted(
        schedule in schedules(Chances { put: 12, delete: 12, cut: 5, replay: 8, ..Chances::EVERYTHING }, 160),
    ) {
        let mut check = check();
        let mut world = run(&schedule, &mut check);
        world.settle();
        for id in world.ids() {
            check(&world, id);
        }
        world.assert_settled();
    }
}

/// The write was made, its acknowledgements did not come, and somebody who had not seen it deletes the key: the delete
/// cannot have meant it.
#[test]
fn a_put_that_nobody_has_acknowledged_yet_outlives_a_delete_that_has_not_seen_it() {
    let (mut world, [writer, other, deleter]) = World::group(roomy());
    world.put(other, &key("k"));
    world.settle();
    world.cut_off(writer);
    let late = world.put(writer, &key("k")).expect("it is live");
    assert_eq!(world.shard(writer).acknowledgements(late), 0);
    world.delete(deleter, &key("k"));
    world.settle();
    assert_eq!(world.names(other), Vec::<String>::new());
    world.come_into_sight(writer);
    world.settle();
    assert!([writer, other, deleter].iter().all(|id| world.names(*id) == ["k"]));
    world.delete(deleter, &key("k"));
    world.settle();
    assert!([writer, other, deleter].iter().all(|id| world.names(*id).is_empty()), "who has seen it deletes it");
}
