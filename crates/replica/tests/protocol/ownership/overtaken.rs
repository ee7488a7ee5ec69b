//! What a put had not seen of a key's owner does not undo it: it is said again by whoever has seen both.

use baton_replica::{Condition, Handover, Operation, ReplicaId, ShardMessage, Token, WriteError};

use super::{claim, done, owner, put, put_until, text, token};
use crate::harness::{World, key, roomy, tight};

/// A key with a value of the first token that stays, beside one of the second that ends by its deadline.
fn siblings() -> (World, [ReplicaId; 3], [Token; 2]) {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("one"));
    let first = claim(&mut world, a);
    world.settle_owners();
    let expires_at = Some(world.now + 60_000);
    done(&mut world, b, put_until("two", expires_at));
    let second = claim(&mut world, b);
    done(&mut world, c, put("three"));
    world.settle_owners();
    (world, [a, b, c], [first, second])
}

/// The owner departs; its adopter confirms, and the other has not heard of that. Returns the three.
fn adopted_and_confirmed(depart: impl FnOnce(&mut World, ReplicaId)) -> (World, ReplicaId, [ReplicaId; 2]) {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("session"));
    claim(&mut world, a);
    world.settle_owners();
    depart(&mut world, a);
    world.settle_owners();
    let (adopter, _) = owner(&world, b).expect("adopted");
    let other = if adopter == b { c } else { b };
    done(&mut world, adopter, Operation::Confirm);
    (world, a, [adopter, other])
}

#[test]
pub(crate) fn a_claim_survives_a_put_that_has_not_seen_it() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("one"));
    let first = claim(&mut world, a);
    world.settle();
    let second = claim(&mut world, b);
    done(&mut world, c, put("two"));
    world.settle_owners();
    for id in [a, b, c] {
        assert_eq!((owner(&world, id), token(&world, id)), (Some((b, true)), Some(second)));
    }
    assert!(second > first);
}

#[test]
pub(crate) fn the_first_claim_survives_a_put_that_has_not_seen_it() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("one"));
    world.settle();
    let first = claim(&mut world, b);
    done(&mut world, c, put("two"));
    world.settle_owners();
    for id in [a, b, c] {
        assert_eq!((owner(&world, id), token(&world, id)), (Some((b, true)), Some(first)));
    }
}

/// Who gave the token has crashed, and one member alone has seen it: the earlier token is never good there again, and
/// whoever adopts the key gets a greater one.
#[test]
pub(crate) fn a_claim_that_a_put_has_not_seen_outlives_its_owner() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("one"));
    let first = claim(&mut world, a);
    world.settle();
    world.part(b, c);
    world.part(a, c);
    let second = claim(&mut world, b);
    world.exchange(b, a);
    done(&mut world, c, put("two"));
    world.crash(b);
    world.connect(a, c);
    world.exchange(c, a);
    assert_eq!((owner(&world, a), token(&world, a)), (Some((b, true)), Some(second)));
    let late = world.write(a, &key("k"), Condition::Token(first), put("late"));
    assert!(matches!(late, Err(WriteError::Condition { .. })), "{late:?}");
    world.settle_owners();
    assert!(token(&world, a) > Some(second));
    assert_eq!(token(&world, c), token(&world, a));
}

/// The same when the put is there before the claim is.
#[test]
fn a_claim_that_comes_after_a_put_which_has_not_seen_it_outlives_its_owner() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("one"));
    claim(&mut world, a);
    world.settle();
    world.part(b, c);
    world.part(a, b);
    let second = claim(&mut world, b);
    done(&mut world, c, put("two"));
    world.exchange(c, a);
    world.connect(a, b);
    let is_range = |message: &ShardMessage| matches!(message, ShardMessage::Range(_));
    assert!(world.exchange_until(b, a, is_range));
    world.deliver(b, a);
    world.crash(b);
    world.settle_owners();
    assert!(token(&world, a) > Some(second));
    assert_eq!(token(&world, c), token(&world, a));
}

/// An adopter's app confirms while somebody else puts the session.
#[test]
pub(crate) fn a_confirmation_survives_a_put_that_has_not_seen_it() {
    let (mut world, a, [adopter, other]) = adopted_and_confirmed(World::leave);
    done(&mut world, other, put("put by who had not seen that"));
    world.settle_owners();
    assert_eq!(owner(&world, other), Some((adopter, true)), "what was confirmed is not any more");
    assert_eq!(world.shard(a).handover(), Handover::default(), "the leaver waits for ever");
}

/// Two have said an ownership again; one of them deletes the key, ownership and all, and puts it anew.
#[test]
fn an_ownership_that_two_have_said_again_ends_with_the_key() {
    let (mut world, [a, b, c, d]) = World::group(roomy());
    done(&mut world, a, put("one"));
    world.settle_owners();
    for other in [a, b, d] {
        world.part(c, other);
    }
    claim(&mut world, b);
    world.exchange(b, a);
    world.exchange(b, d);
    done(&mut world, c, put("two"));
    world.part(a, d);
    world.part(b, d);
    world.part(a, b);
    for id in [a, d] {
        world.connect(c, id);
        while world.exchange_once(c, id) {}
        world.adopt(id);
        assert_eq!(owner(&world, id), Some((b, true)));
        world.part(c, id);
    }
    done(&mut world, d, Operation::Delete);
    done(&mut world, d, put("anew"));
    assert_eq!(owner(&world, d), None);
    world.settle_owners();
    assert_eq!(text(&world, a), "anew");
    assert_eq!(owner(&world, a), None, "an ownership that was ended is back");
}

/// The same with the owner's own word.
#[test]
fn a_confirmation_does_not_bring_back_an_ownership_that_was_deleted() {
    let (mut world, _, [_, other]) = adopted_and_confirmed(World::crash);
    done(&mut world, other, Operation::Delete);
    done(&mut world, other, put("anew"));
    world.settle_owners();
    assert_eq!(text(&world, other), "anew");
    assert_eq!(owner(&world, other), None, "an ownership that was ended is back");
}

/// A sibling that bears the greater token expires.
#[test]
fn an_earlier_token_is_not_good_again_when_a_sibling_expires() {
    let (mut world, [a, b, c], [first, second]) = siblings();
    for id in [a, b, c] {
        assert_eq!(token(&world, id), Some(second));
    }
    assert!(second > first);
    world.now += 100_000;
    for id in [a, b, c] {
        let now = world.now;
        let node = world.node(id);
        node.shard.expire(now + node.skew, 16);
    }
    world.settle_owners();
    let late = world.write(a, &key("k"), Condition::Token(first), put("by the first owner"));
    assert!(matches!(late, Err(WriteError::Condition { .. })), "{late:?}");
}

/// The first to look at the key after the deadline is who shows the earlier token.
#[test]
fn an_earlier_token_is_not_good_at_the_moment_at_which_a_sibling_expires() {
    let (mut world, [a, ..], [first, second]) = siblings();
    assert_eq!(token(&world, a), Some(second));
    world.now += 100_000;
    let late = world.write(a, &key("k"), Condition::Token(first), put("by the first owner"));
    assert!(matches!(late, Err(WriteError::Condition { .. })), "{late:?}");
}

/// A process claims a key that it did not write, is removed, and comes back; the key was put meanwhile.
#[test]
fn a_claim_of_a_removed_process_outlives_a_put_that_has_not_seen_it() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("one"));
    let first = claim(&mut world, a);
    world.settle_owners();
    world.cut_off(c);
    let second = claim(&mut world, c);
    assert!(second > first);
    world.expel(c);
    done(&mut world, b, put("two"));
    world.settle_owners();
    let back = world.come_back(c);
    world.settle_owners();
    assert_eq!(world.shard(back).inherited(), 0);
    let late = world.write(back, &key("k"), Condition::Token(first), put("by the first owner"));
    assert!(matches!(late, Err(WriteError::Condition { .. })), "{late:?}");
}

/// While it is adopted, somebody puts it who has not seen that; the leaver meets both.
#[test]
pub(crate) fn a_leaver_waits_for_the_confirmation_of_an_adoption_that_it_has_said_again() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("session"));
    claim(&mut world, a);
    world.settle_owners();
    world.leave(a);
    world.settle();
    // Whoever is to adopt it does so, unseen by the other, who puts it.
    assert_eq!(world.adopt(b) + world.adopt(c), 1);
    let (adopter, other) = if owner(&world, b) == Some((b, false)) { (b, c) } else { (c, b) };
    world.part(b, c);
    done(&mut world, other, put("put by one who has not seen the adoption"));
    world.exchange(adopter, a);
    assert_eq!(world.shard(a).handover(), Handover { unadopted: 0, unconfirmed: 1 });
    world.exchange(other, a);
    world.adopt(a);
    assert_eq!(owner(&world, a), Some((adopter, false)));
    world.settle_owners();
    assert_eq!(owner(&world, a), Some((adopter, false)), "nobody has confirmed");
    assert_eq!(world.shard(a).handover(), Handover { unadopted: 0, unconfirmed: 1 });
}

/// The same, and who puts it has never seen any owner.
#[test]
fn a_leaver_waits_for_a_confirmation_though_a_put_showed_no_owner_at_all() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("session"));
    world.settle();
    world.part(a, c);
    world.part(b, c);
    claim(&mut world, a);
    world.exchange(a, b);
    world.leave(a);
    world.exchange(a, b);
    let list = world.operator.list();
    let mut list = (*list).clone();
    list.version.number += 1;
    // So that the other adopts it.
    list.members.iter_mut().filter(|row| row.replica == c).for_each(|row| row.keeper = true);
    let list = std::rc::Rc::new(list);
    for id in [a, b] {
        world.node(id).take(&list);
    }
    assert_eq!(world.adopt(b), 1);
    world.exchange(a, b);
    assert_eq!(world.shard(a).handover(), Handover { unadopted: 0, unconfirmed: 1 });
    done(&mut world, c, put("put by one who has seen no owner"));
    world.part(a, b);
    world.connect(a, c);
    world.exchange(a, c);
    world.adopt(a);
    assert_eq!(owner(&world, a), Some((b, false)));
    assert_eq!(world.shard(a).handover(), Handover { unadopted: 0, unconfirmed: 1 });
}

/// A joiner has got a put in a transfer that broke off, and then the state of one who has a claim which the put had not
/// seen. It acknowledges the claim, and the other leaves.
#[test]
fn a_claim_is_handed_off_to_who_has_got_an_unseen_put_in_a_transfer_that_broke_off() {
    let (mut world, [a, b, s]) = World::group(tight(1_000));
    world.write(a, &key("a"), Condition::Always, put("before it")).expect("live");
    done(&mut world, a, put("one"));
    let first = claim(&mut world, a);
    world.write(a, &key("z"), Condition::Always, put("after it")).expect("live");
    world.settle_owners();
    world.part(s, a);
    world.part(s, b);
    let second = claim(&mut world, s);
    assert!(second > first);
    done(&mut world, b, put("two"));
    world.exchange(a, b);
    let j = world.spawn();
    for id in [a, b, s, j] {
        world.push(id);
    }
    world.connect(a, j);
    // Until the chunk with the key has arrived.
    while world.shard(j).remembered_keys() < 2 {
        assert!(world.exchange_once(a, j));
    }
    assert!(world.shard(j).is_joining());
    world.part(a, j);
    world.connect(s, j);
    world.exchange(s, j);
    assert!(!world.shard(j).is_joining());
    for id in [s, j] {
        world.push(id);
    }
    world.adopt(j);
    world.leave(s);
    world.seal(s);
    // The joiner does not vouch alone for what it says again: others must have it before the leaver may end.
    while !world.exit(s) && world.exchange_once(s, j) {}
    world.settle_owners();
    for id in [a, b, j] {
        assert!(token(&world, id) > Some(first), "{id} shows {:?}", token(&world, id));
    }
}

/// Else an agent would tell its app to stop the session, and to run it again.
#[test]
fn whoever_watches_never_sees_an_owner_that_another_came_after() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("one"));
    claim(&mut world, a);
    world.settle_owners();
    let second = claim(&mut world, b);
    world.node(b).shard.watch(true);
    done(&mut world, c, put("two"));
    world.settle_owners();
    let changes = world.node(b).shard.take_changes();
    assert!(!changes.is_empty());
    for change in changes {
        let [before, after] = [change.before, change.after].map(|state| state.expect("there").owner.expect("owned"));
        assert_eq!([before, after].map(|owner| Token::of(&owner)), [Some(second); 2]);
    }
}

/// Else its peers would hear of it only when something else is said.
#[test]
fn an_expiry_that_says_an_owner_again_says_so_to_its_caller() {
    let (mut world, [a, b, c], _) = siblings();
    world.now += 100_000;
    for id in [a, b, c] {
        let now = world.now;
        let node = world.node(id);
        let made = node.shard.clock().get(id);
        node.shard.take_said_again();
        node.shard.expire(now + node.skew, 16);
        assert!(node.shard.clock().get(id) > made, "nothing is said again at {id}");
        assert!(node.shard.take_said_again() && !node.shard.take_said_again());
    }
}
