//! Invariant: clock entries, tombstones and logs are bounded by live data and live members, after any number of restarts.

use baton_replica::{Condition, Limits, Operation, ReplicaId, Shard, ShardMessage};

use crate::harness::{World, key, roomy, tight};

/// Restarts after which the oldest adds to the counter, and so takes over what those who have gone had added.
const TAKES_OVER: usize = 20;

/// A record that was written over where it was keeps the room that it had: so many bytes of a key, about.
const ROOM: u64 = 16;

/// A group of five whose members are replaced again and again, each time with writes that the one who goes has made,
/// ends like a group that has never been restarted.
#[test]
fn a_thousand_restarts_leave_nothing_behind() {
    restarts_leave_nothing_behind(roomy(), 1_000, 0);
    restarts_leave_nothing_behind(tight(4), 100, 0);
}

/// The same where the oldest stays: its store has seen them all.
#[test]
fn restarts_leave_nothing_behind_with_who_stays() {
    restarts_leave_nothing_behind(roomy(), 300, 1);
    restarts_leave_nothing_behind(tight(4), 100, 1);
}

/// The member in this row of the list is replaced, so many times.
fn restarts_leave_nothing_behind(limits: Limits, restarts: usize, row: usize) {
    let (mut world, [_, _, _, _, _]) = World::group(limits);
    for restart in 0..restarts {
        let leaver = world.ids()[row];
        world.put(leaver, &key("k0"));
        world.put(leaver, &key(&format!("k{}", restart % 4)));
        world.delete(leaver, &key(&format!("k{}", (restart + 1) % 4)));
        add(&mut world, leaver, 1);
        if restart % TAKES_OVER == 0 {
            let oldest = world.ids()[0];
            add(&mut world, oldest, 1);
        }
        let new = world.spawn();
        world.push(new);
        if restart % 2 == 0 {
            world.settle();
        }
        world.crash(leaver);
        world.settle();
        world.forget_past();
        assert!(counted(&world).1 <= TAKES_OVER + 1, "after {restart} restarts: {:?}", counted(&world));
    }
    // Who crashed right after it had added took that along.
    let (sum, _) = counted(&world);
    assert!(sum >= restarts.div_ceil(2) as i64, "{sum}");
    fill(&mut world, 1);
    world.assert_settled();

    let (mut fresh, [_, _, _, _, _]) = World::group(limits);
    fill(&mut fresh, sum + 1);
    assert_eq!((counted(&world), counted(&fresh)), ((sum + 1, 1), (sum + 1, 1)));
    let shards = |world: &World| -> Vec<(Size, u64)> {
        let shards = world.ids().into_iter().map(|id| world.shard(id));
        shards.map(|shard| (size(shard), shard.stored_bytes())).collect()
    };
    for ((size, stored), (fresh, least)) in shards(&world).into_iter().zip(shards(&fresh)) {
        assert_eq!(size, fresh);
        assert!(stored <= least + ROOM * size.keys as u64, "{stored} bytes for {least}: {size:?}");
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

fn add(world: &mut World, at: ReplicaId, by: i64) {
    world.write_noted(at, &key("counter"), Condition::Always, Operation::Increment(by)).expect("a counter");
}

/// What the counter is, and how many have added to it, as the oldest member has it.
fn counted(world: &World) -> (i64, usize) {
    let entry = world.shard(world.ids()[0]).entries().find(|(one, _)| *one == key("counter"));
    entry.map_or((0, 0), |(_, entry)| (entry.counter().unwrap_or_default(), entry.versions().len()))
}

/// The same data in every group, whatever was there before. The oldest adds so much.
fn fill(world: &mut World, by: i64) {
    world.now = 1_000_000;
    add(world, world.ids()[0], by);
    for (id, name) in world.ids().into_iter().zip(["k0", "k1", "k2", "k3"]) {
        world.put(id, &key(name));
    }
    world.settle();
}

/// What a shard keeps beside the values. What it notes of keys is of keys that there are.
#[derive(Debug, PartialEq, Eq)]
struct Size {
    clock: usize,
    slots: usize,
    keys: usize,
    context: usize,
    unpurged: usize,
    owners: usize,
    bytes: usize,
}

fn size(shard: &Shard) -> Size {
    Size {
        clock: shard.clock().len(),
        slots: shard.log_slots(),
        keys: shard.remembered_keys(),
        context: shard.entries().map(|(_, entry)| entry.context().len()).sum(),
        unpurged: shard.unpurged(),
        owners: shard.noted_owners(),
        bytes: shard.entries().map(|(_, entry)| entry.size()).sum(),
    }
}

/// A member is out of reach, and the others go on writing over the same keys: what they keep for it does not grow with
/// every write.
#[test]
fn what_waits_for_a_member_out_of_reach_is_bounded_by_the_keys() {
    let (mut world, [a, b, c]) = World::group(tight(4));
    let keys: Vec<_> = (0..8).map(|number| key(&number.to_string())).collect();
    world.cut_off(b);
    for round in 0..200 {
        world.put(a, &keys[round % keys.len()]);
        world.exchange(a, c);
        for id in [a, c] {
            let (waiting, kept) = (world.shard(id).unpurged(), world.shard(id).remembered_keys());
            assert!(waiting <= kept && kept <= keys.len(), "{waiting} of {kept} keys wait after {round} writes");
        }
    }
}
