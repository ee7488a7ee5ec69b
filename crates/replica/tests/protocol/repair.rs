//! Replicas that hold different things although they have seen the same: a corruption, which is found and made good.

use baton_replica::{Entry, ShardMessage};

use crate::harness::{World, key, roomy};

/// One of two has lost a key, and nothing of the other knows of a delete: both have it in the end.
#[test]
pub(crate) fn what_one_has_lost_comes_back_from_the_others() {
    let (mut world, [a, b]) = World::group(roomy());
    world.put(a, &key("lost"));
    world.put(a, &key("kept"));
    let is_range = |message: &ShardMessage| matches!(message, ShardMessage::Range(_));
    assert!(world.exchange_until(a, b, is_range));
    let Some(ShardMessage::Range(mut range)) = world.network.peek(a, b).cloned() else { unreachable!("just seen") };
    let lost = range.items.iter_mut().find(|item| item.key == key("lost"));
    lost.expect("it was written").entry = Entry::default();
    let (link, now) = (world.network.link(a, b).expect("up"), world.now);
    world.node(b).handle(a, link, ShardMessage::Range(range), now).expect("whole");
    world.settle();
    assert_eq!((world.names(a).len(), world.names(b)), (2, vec!["kept".to_owned()]));

    world.node(a).shard.offer_digest();
    world.node(a).wake_all();
    world.exchange(a, b);
    assert!(world.shard(b).digest_mismatches() > 0, "it is counted");
    for id in [a, b] {
        assert_eq!(world.names(id), ["kept", "lost"]);
    }
    world.settle();
    world.assert_settled();
}
