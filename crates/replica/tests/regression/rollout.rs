//! Rollouts that go faster than the state.

use baton_replica::{Need, ReplicaId};

use crate::harness::{World, key, roomy, tight};

/// olric#55, olric#225, keycloak#37825, #44620, dragonfly-operator#191: members were replaced one after the other before the copies
/// of what they held had been made anew.
#[test]
fn a_group_that_is_replaced_as_fast_as_it_may_loses_nothing() {
    for limits in [roomy(), tight(4)] {
        let (mut world, [_, _, _]) = World::group(limits);
        let mut written = Vec::new();
        for generation in 0..12 {
            let leaver = world.ids()[0];
            world.spawn();
            for number in 0..3 {
                let name = format!("k{generation:02}{number}");
                world.put(leaver, &key(&name));
                written.push(name);
            }
            world.leave(leaver);
            world.seal(leaver);
            hold(&mut world, leaver);
        }
        world.settle();
        world.assert_settled();
        for id in world.ids() {
            assert_eq!(world.names(id), written);
        }
    }
}

/// Lets pairs talk, one pair after the other, until the leaver may end, and not a moment longer.
fn hold(world: &mut World, leaver: ReplicaId) {
    for _ in 0..8 {
        for other in world.ids().into_iter().filter(|id| *id != leaver) {
            world.push(other);
            world.push(leaver);
            world.notice(leaver);
            if world.network.link(leaver, other).is_none() {
                world.connect(leaver, other);
            }
            world.exchange(leaver, other);
            if world.exit(leaver) {
                return;
            }
        }
    }
    panic!("{leaver} is never covered");
}

/// Olric 0.7: a rolling restart of three lost 66 of 100 thousand keys, since "ready" said nothing of what a member held.
#[test]
fn a_member_that_still_joins_is_no_survivor() {
    let (mut world, [leaver]) = World::group(tight(64));
    world.put(leaver, &key("k0"));
    world.put(leaver, &key("k1"));
    let joiner = world.spawn();
    world.leave(leaver);
    world.seal(leaver);
    world.push(leaver);
    world.connect(leaver, joiner);
    while world.shard(joiner).is_joining() {
        assert!(!world.exit(leaver), "nobody holds the state but the one who leaves");
        world.pump(leaver, joiner, 1);
        world.deliver(leaver, joiner);
        world.pump(joiner, leaver, 1);
        world.deliver(joiner, leaver);
    }
    world.settle();
    assert!(world.exit(leaver));
    assert_eq!(world.names(joiner), ["k0", "k1"]);
}

/// Redis with WAIT: the copy that had confirmed a write went next, and its successor did not have it.
#[test]
pub(crate) fn a_leaver_leaves_as_many_holders_as_its_writes_were_confirmed_by() {
    let (mut world, [writer, a, b, c]) = World::group(roomy());
    world.need = Need { acks: 1, level: 2 };
    for other in [b, c] {
        world.part(writer, other);
        world.part(a, other);
    }
    world.put(writer, &key("k"));
    world.exchange(writer, a);
    world.leave(writer);
    world.seal(writer);
    world.exchange(writer, a);
    assert!(!world.exit(writer), "one has it, and two had to confirm it");
    world.connect(writer, b);
    world.exchange(writer, b);
    assert!(world.exit(writer));
    world.crash(a);
    assert_eq!(world.names(b), ["k"]);
    world.settle();
    assert_eq!(world.names(c), ["k"]);
}
