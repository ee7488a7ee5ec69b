//! Invariant: clock entries, tombstones and logs are bounded by live data and live members, after any number of restarts.

use baton_replica::{Shard, ShardMessage};

use crate::harness::{World, key, roomy, tight};

/// A group of five whose members are replaced again and again, each time with writes that the one who goes has made,
/// ends like a group that has never been restarted.
#[test]
fn a_thousand_restarts_leave_nothing_behind() {
    for (limits, restarts) in [(roomy(), 1_000), (tight(4), 100)] {
        let (mut world, [_, _, _, _, _]) = World::group(limits);
        for restart in 0..restarts {
            let oldest = world.ids()[0];
            world.put(oldest, &key("k0"));
            world.put(oldest, &key(&format!("k{}", restart % 4)));
            world.delete(oldest, &key(&format!("k{}", (restart + 1) % 4)));
            let new = world.spawn();
            world.push(new);
            if restart % 2 == 0 {
                world.settle();
            }
            world.crash(oldest);
            world.settle();
            world.forget_past();
        }
        fill(&mut world);
        world.assert_settled();

        let (mut fresh, [_, _, _, _, _]) = World::group(limits);
        fill(&mut fresh);
        let sizes = |world: &World| -> Vec<Size> { world.ids().iter().map(|id| size(world.shard(*id))).collect() };
        assert_eq!(sizes(&world), sizes(&fresh));
    }
}

/// Ids that come and go without a write are forgotten too.
#[test]
fn members_that_never_wrote_are_forgotten() {
    let (mut world, [a, b]) = World::group(roomy());
    for _ in 0..10 {
        let passer = world.spawn();
        world.settle();
        world.crash(passer);
        world.settle();
    }
    assert_eq!(world.operator.list().members.len(), 2);
    assert!(world.shard(a).clock().is_empty() && world.shard(b).clock().is_empty());
}

/// A replacement that has no state yet when the others settle is told of it later.
#[test]
fn who_joins_while_the_others_settle_settles_too() {
    let (mut world, [a, b, c]) = World::group(roomy());
    world.put(c, &key("k"));
    world.settle();
    let new = world.spawn();
    world.crash(c);
    assert!(world.operator.bury());
    for id in [a, b, new] {
        world.push(id);
    }
    for peer in [a, b] {
        world.connect(peer, new);
        world.exchange_until(peer, new, |message| matches!(message, ShardMessage::Chunk(_)));
    }
    assert!(world.shard(new).is_joining());
    world.settle();
    assert_eq!(world.operator.list().members.len(), 3);
}

/// The same data in every group, whatever was there before.
fn fill(world: &mut World) {
    world.now = 1_000_000;
    for (id, name) in world.ids().into_iter().zip(["k0", "k1", "k2", "k3"]) {
        world.put(id, &key(name));
    }
    world.settle();
}

/// What a shard keeps beside the values.
#[derive(Debug, PartialEq, Eq)]
struct Size {
    clock: usize,
    slots: usize,
    keys: usize,
    context: usize,
    bytes: usize,
}

fn size(shard: &Shard) -> Size {
    Size {
        clock: shard.clock().len(),
        slots: shard.log_slots(),
        keys: shard.remembered_keys(),
        context: shard.entries().map(|(_, entry)| entry.context().len()).sum(),
        bytes: shard.entries().map(|(_, entry)| entry.size()).sum(),
    }
}
