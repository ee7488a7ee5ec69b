//! Departures: which acknowledgements count, and which only look as if they did.

use baton_replica::{MemberPhase, Need, ReplicaId, Roster, ShardMessage};

use crate::harness::{World, key, list, roomy};

fn pair() -> (World, ReplicaId, ReplicaId) {
    let (mut world, [leaver, survivor]) = World::group(roomy());
    world.put(leaver, &key("k"));
    world.settle();
    (world, leaver, survivor)
}

const fn is_applied(message: &ShardMessage) -> bool {
    matches!(message, ShardMessage::Applied(_))
}

/// level10#67, swarm#67: a leaving process handed its state to one that was leaving too, and both were gone. akka-core#30362:
/// of two that were stopped at once, one ran out of time with shards that nobody had taken.
#[test]
fn two_that_leave_at_once_do_not_count_each_other() {
    let (mut world, a, b) = pair();
    world.leave(a);
    world.leave(b);
    world.exchange(a, b);
    assert!(!world.is_covered(a) && !world.is_covered(b));
    let stays = world.spawn();
    world.settle();
    for leaver in [a, b] {
        world.seal(leaver);
        world.settle();
        assert!(world.exit(leaver));
    }
    assert_eq!(world.names(stays), ["k"]);
}

/// Pekko's delta propagation counted what was sent; a stale acknowledgement says nothing of who is there now.
#[test]
fn an_acknowledgement_from_before_the_departure_was_heard_does_not_count() {
    let (mut world, leaver, survivor) = pair();
    world.leave(leaver);
    assert_eq!(world.shard(survivor).clock(), world.shard(leaver).clock());
    assert!(!world.is_covered(leaver), "all is acknowledged, but not since");
    world.exchange(leaver, survivor);
    assert!(world.is_covered(leaver));
}

/// The same when the acknowledgement is on its way while the departure is announced.
#[test]
pub(crate) fn an_acknowledgement_that_crosses_the_announcement_does_not_count() {
    let (mut world, leaver, survivor) = pair();
    world.put(leaver, &key("k2"));
    assert!(world.exchange_until(survivor, leaver, is_applied));
    world.leave(leaver);
    world.deliver(survivor, leaver);
    assert!(!world.is_covered(leaver));
    world.exchange(leaver, survivor);
    assert!(world.is_covered(leaver));
}

/// A frozen leaver woke up and went by what a survivor had said before it handed off to another, which had crashed since.
#[test]
pub(crate) fn what_was_acknowledged_before_the_hook_was_called_is_asked_for_again() {
    let (mut world, a, b) = pair();
    world.put(a, &key("k"));
    world.leave(a);
    world.exchange(a, b);
    assert!(world.is_covered(a));
    world.ask_again(a);
    assert!(!world.is_covered(a));
    world.exchange(a, b);
    assert!(world.is_covered(a));
    world.seal(a);
    assert!(!world.is_covered(a), "the hook's answers are not those of the end");
    world.exchange(a, b);
    assert!(world.exit(a));
}

/// An acknowledgement of one who began to leave afterwards counts: he hands off what he acknowledged.
#[test]
fn a_chain_of_departures_ends_in_one_who_stays() {
    let (mut world, [a, b, c]) = World::group(roomy());
    world.put(a, &key("k"));
    world.part(a, c);
    world.exchange(a, b);
    world.leave(a);
    world.need = Need { acks: 1, level: 0 };
    world.exchange(a, b);
    world.seal(a);
    world.exchange(a, b);
    assert!(world.exit(a), "b stays, as far as anybody knows");
    world.leave(b);
    assert!(!world.is_covered(b));
    world.node(c).flush();
    world.exchange(b, c);
    world.seal(b);
    world.exchange(b, c);
    assert!(world.exit(b));
    assert_eq!(world.names(c), ["k"]);
}

/// process-hub, horde#90: the acknowledgement of a process that had died since was counted.
#[test]
pub(crate) fn the_acknowledgement_of_a_crashed_survivor_is_void() {
    let (mut world, leaver, survivor) = pair();
    world.leave(leaver);
    world.exchange(leaver, survivor);
    assert!(world.is_covered(leaver));
    world.crash(survivor);
    world.notice(leaver);
    assert!(!world.is_covered(leaver), "its link is down, so it may have crashed");
    world.operator.bury();
    world.push(leaver);
    assert!(!world.is_covered(leaver), "it is listed as gone");
    let again = world.spawn();
    world.push(leaver);
    assert!(!world.is_covered(leaver), "a new process in its place holds nothing");
    world.settle();
    assert!(world.is_covered(leaver));
    assert_eq!(world.names(again), ["k"]);
}

/// A link that broke and came back is no crash: what was acknowledged on it need not be said again.
#[test]
fn a_survivor_counts_again_when_its_link_is_back() {
    let (mut world, leaver, survivor) = pair();
    world.leave(leaver);
    world.exchange(leaver, survivor);
    world.part(leaver, survivor);
    assert!(!world.is_covered(leaver));
    world.connect(leaver, survivor);
    world.exchange(leaver, survivor);
    assert!(world.is_covered(leaver));
}

/// Redis with WAIT: each write was confirmed by somebody, and nobody who was left had them all.
#[test]
pub(crate) fn two_survivors_with_a_half_each_cover_nothing() {
    let (mut world, [leaver, dead, left, right]) = World::group(roomy());
    for (a, b) in [(dead, left), (left, right), (leaver, left)] {
        world.part(a, b);
    }
    world.need = Need { acks: 1, level: 0 };
    world.put(dead, &key("of the dead"));
    world.exchange(dead, leaver);
    world.exchange(dead, right);
    world.crash(dead);
    world.leave(leaver);
    world.exchange(leaver, right);
    let own = world.put(leaver, &key("its own")).expect("live");
    world.connect(leaver, left);
    let of_the_dead = |message: &ShardMessage| matches!(message, ShardMessage::Range(range) if range.items[0].key == key("of the dead"));
    assert!(world.exchange_until(leaver, left, of_the_dead));
    world.pump(left, leaver, 4);
    while world.deliver(left, leaver) {}
    assert!(world.shard(left).clock().covers(own) && world.shard(leaver).acknowledgements(own) == 1);
    assert!(!world.is_covered(leaver));
    world.exchange(leaver, left);
    assert!(world.is_covered(leaver));
}

/// Redundancy fell by one with each leaver: the last other holder of a write left it with its origin alone.
#[test]
pub(crate) fn an_origin_does_not_vouch_alone_for_its_own_writes() {
    let (mut world, [leaver, origin, other]) = World::group(roomy());
    world.part(origin, other);
    world.part(leaver, other);
    world.put(origin, &key("k"));
    world.exchange(leaver, origin);
    world.leave(leaver);
    world.exchange(leaver, origin);
    assert!(world.shard(origin).clock().covers_all(world.shard(leaver).clock()));
    assert!(!world.is_covered(leaver), "the origin alone would be left with it");
    world.connect(leaver, other);
    world.exchange(leaver, other);
    assert!(world.is_covered(leaver));
    world.seal(leaver);
    world.exchange(leaver, origin);
    world.exchange(leaver, other);
    assert!(world.exit(leaver));
    world.crash(origin);
    assert_eq!(world.names(other), ["k"]);
}

/// A survivor said nothing of its own writes; a leaver that had taken them in waited to its deadline.
#[test]
fn a_survivors_writes_after_the_departure_hold_nobody_up() {
    let (mut world, leaver, survivor) = pair();
    world.leave(leaver);
    world.exchange(leaver, survivor);
    world.put(survivor, &key("k2"));
    world.exchange(leaver, survivor);
    assert!(world.is_covered(leaver));
}

/// The operator told the peers first: what they acknowledged before the leaver itself knew that it leaves does not count,
/// and what they say when it tells them does.
#[test]
fn a_departure_that_the_peers_hear_of_first_is_covered_one_round_trip_after_it_began() {
    let (mut world, leaver, survivor) = pair();
    world.terminate(leaver);
    world.push(survivor);
    world.exchange(leaver, survivor);
    world.push(leaver);
    assert_eq!(world.nodes[&leaver].phase, MemberPhase::Leaving);
    assert!(!world.is_covered(leaver));
    world.exchange(leaver, survivor);
    assert!(world.is_covered(leaver));
}

/// olric#258, infinispan#16916: with nobody left, the quorum shrank to the leaver itself.
#[test]
pub(crate) fn with_nobody_to_hand_off_to_nothing_is_covered() {
    let (mut world, alone) = World::new(vec![roomy()]);
    world.put(alone, &key("k"));
    world.leave(alone);
    world.need = Need { acks: 0, level: 0 };
    assert!(!world.is_covered(alone));
    world.spawn();
    world.push(alone);
    assert!(!world.is_covered(alone), "a joiner holds nothing yet");
}

/// More copies were asked for than there are survivors: a handoff to fewer must not pass for one.
#[test]
fn a_group_that_asks_for_two_holders_is_not_content_with_one() {
    let (mut world, leaver, survivor) = pair();
    world.leave(leaver);
    world.exchange(leaver, survivor);
    world.need = Need { acks: 2, level: 1 };
    assert!(!world.is_covered(leaver));
    world.settle();
    assert!(world.is_covered(leaver));
}

/// Pekko's WriteMajority counted members that were exiting. dragonfly-operator#306, #289: a master that was being evicted was
/// still taken for one that stays, and what it held was lost with it.
#[test]
pub(crate) fn a_leaving_member_acknowledges_no_write() {
    let (mut world, leaver, writer) = pair();
    world.leave(leaver);
    world.exchange(leaver, writer);
    let dot = world.put(writer, &key("k2")).expect("live");
    world.exchange(leaver, writer);
    assert!(world.shard(leaver).clock().covers(dot));
    assert_eq!((world.shard(writer).acknowledgements(dot), world.shard(writer).members_that_count()), (0, 0));
}

/// A giver that leaves says so with each acknowledgement: the notice of its departure may come by a slower way.
#[test]
pub(crate) fn what_a_leaver_acknowledges_does_not_count_before_its_departure_is_heard_of() {
    let (mut world, a, b) = pair();
    world.leave_silently(b);
    world.leave(a);
    world.exchange(a, b);
    assert_eq!(world.shard(a).members_that_count(), 1, "nobody has told a of b's departure");
    assert!(!world.is_covered(a));
}

/// Writes taken in after the last look at the coverage: the target moved, and what came then was left behind.
#[test]
pub(crate) fn a_sealed_member_takes_nothing_in_and_acknowledges_nothing_more() {
    let (mut world, leaver, writer) = pair();
    world.leave(leaver);
    world.seal(leaver);
    world.exchange(leaver, writer);
    let before = world.shard(leaver).clock().clone();
    assert!(world.is_covered(leaver));
    let dot = world.put(writer, &key("k2")).expect("live");
    world.exchange(leaver, writer);
    assert_eq!(world.shard(leaver).clock(), &before);
    assert!(world.put(leaver, &key("k3")).is_none());
    assert_eq!(world.shard(writer).acknowledgements(dot), 0);
    assert!(world.exit(leaver));
}

/// Two tasks gave a shard their views of the members in the wrong order, and it forgot that it leaves.
#[test]
fn a_view_of_the_members_that_arrives_late_undoes_nothing() {
    let (mut world, leaver, survivor) = pair();
    let mut old = Roster::new(survivor);
    old.take(&list(1, &[(leaver, MemberPhase::Active)]));
    world.leave(leaver);
    world.leave(survivor);
    world.exchange(leaver, survivor);
    let _ = world.node(survivor).shard.set_roster(old);
    assert!(world.shard(survivor).is_leaving());
    assert_eq!(world.shard(survivor).members_that_count(), 0);
}

/// Orleans' AcceptMigratingGrains answers "accepted" for what it ignores. An acknowledgement says what was applied, not that
/// something was received.
#[test]
pub(crate) fn who_ignores_a_range_acknowledges_nothing_of_it() {
    let (mut world, [writer, reader]) = World::group(roomy());
    let joiner = world.spawn();
    world.push(writer);
    world.connect(writer, joiner);
    while world.deliver(writer, joiner) | world.deliver(joiner, writer) {}
    let dot = world.put(writer, &key("k")).expect("live");
    assert!(world.exchange_until(writer, reader, |message| matches!(message, ShardMessage::Range(_))));
    let range = world.network.peek(writer, reader).cloned().expect("just seen");
    let (link, now) = (world.network.link(writer, joiner).expect("up"), world.now);
    world.node(joiner).shard.handle(writer, link, range, now).expect("whole");
    while let Some(message) = world.node(joiner).shard.poll_transmit(writer, link) {
        assert!(!is_applied(&message), "{message:?}");
    }
    assert_eq!(world.shard(writer).acknowledgements(dot), 0);
}

/// Our own, found by proof: peers that the operator told of a departure first acknowledged it before it began. Three that
/// leave in a ring, none of whom had heard yet that the next one leaves, were all covered, and all were gone.
#[test]
fn leavers_in_a_ring_do_not_count_each_other() {
    let (mut world, [a, b, c]) = World::group(roomy());
    world.put(a, &key("k"));
    world.settle();
    // Only b has heard that a's pod is terminating; what it says to a is on its way until the end.
    world.terminate(a);
    world.push(b);
    world.pump(b, a, 1);
    for (leaver, peer) in [(b, c), (c, a)] {
        world.leave(leaver);
        while world.deliver(leaver, peer) {}
        world.pump(peer, leaver, 1);
        while world.deliver(peer, leaver) {}
    }
    world.deliver(b, a);
    world.leave(a);
    let covered: Vec<ReplicaId> = [a, b, c].into_iter().filter(|id| world.is_covered(*id)).collect();
    assert!(covered.len() < 3, "all three are covered by each other");
}
