//! Where the log window ends and full-state transfers begin.

use baton_replica::{Limits, ShardMessage};

use crate::harness::{World, key};

/// Our own, found by a random schedule: a pull that a transfer had overtaken was answered with "behind", and the origin was
/// asked of nobody any more.
#[test]
fn a_pull_that_a_transfer_has_overtaken_is_put_to_the_next_peer() {
    let (mut world, [origin, some, more, late]) = World::group(Limits { max_slots: 2, batch_bytes: 1_000_000 });
    for peer in [origin, some, more] {
        world.part(late, peer);
    }
    for number in 0..6 {
        world.put(origin, &key(&format!("k{number}")));
    }
    world.exchange(origin, some);
    world.part(some, origin);
    world.part(some, more);
    world.put(origin, &key("k6"));
    world.exchange(origin, more);
    world.crash(origin);

    world.connect(late, some);
    assert!(world.exchange_until(some, late, |message| matches!(message, ShardMessage::Behind { .. })));
    world.deliver(some, late);
    world.connect(late, more);
    assert!(world.exchange_until(more, late, |message| matches!(message, ShardMessage::Applied(_))));
    world.deliver(more, late);
    world.pump(late, some, 1);
    world.deliver(late, some);
    world.pump(some, late, 1);
    world.exchange(late, some);
    world.exchange(late, more);
    assert_eq!(world.names(late).len(), 7);
}
