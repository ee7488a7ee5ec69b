//! What a replica sends first, which is what counts when a leaver's time ends in the middle.

use baton_replica::{LinkId, ReplicaId, ShardMessage, Urgency};

use crate::harness::{World, key, roomy, tight};

/// What a message brings, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Brings {
    Range(ReplicaId),
    Chunk,
}

fn brings(message: &ShardMessage) -> Option<Brings> {
    match message {
        ShardMessage::Range(range) => Some(Brings::Range(range.origin)),
        ShardMessage::Chunk(_) => Some(Brings::Chunk),
        _ => None,
    }
}

fn link(world: &World, from: ReplicaId, to: ReplicaId) -> LinkId {
    world.nodes[&from].links[&to]
}

/// All data that a replica would send to a peer before it hears anything, of at least some urgency.
fn sends(world: &mut World, from: ReplicaId, to: ReplicaId, least: Urgency) -> Vec<Brings> {
    let link = link(world, from, to);
    let shard = &mut world.node(from).shard;
    std::iter::from_fn(|| shard.poll_urgent(to, link, least)).filter_map(|message| brings(&message)).collect()
}

/// A leaver whose peer has asked for the write of one who crashed, and lacks the leaver's own as well; and what a third
/// one, who survives too, had got of both before.
fn leaver(own_is_held: bool, other_is_held: bool) -> (World, [ReplicaId; 4]) {
    let (mut world, ids) = World::group(roomy());
    let [leaver, peer, holder, crashed] = ids;
    world.put(crashed, &key("other"));
    if other_is_held {
        world.exchange(crashed, holder);
    }
    world.exchange(crashed, leaver);
    world.node(holder).flush();
    world.exchange(leaver, holder);
    world.put(leaver, &key("own"));
    if own_is_held {
        world.exchange(leaver, holder);
    }
    world.crash(crashed);
    for id in [leaver, peer, holder] {
        world.notice(id);
    }
    world.leave(leaver);
    // The word that it leaves, with its whole clock, and the answer, with a question.
    world.pump(leaver, peer, 1);
    while world.deliver(leaver, peer) {}
    world.pump(peer, leaver, usize::MAX);
    while world.deliver(peer, leaver) {}
    (world, ids)
}

#[test]
fn what_nobody_else_has_goes_before_what_somebody_has() {
    use Brings::Range;
    let (mut world, [leaver_, peer, _, crashed]) = leaver(true, false);
    assert_eq!(sends(&mut world, leaver_, peer, Urgency::Alone), [Range(crashed)]);
    assert_eq!(sends(&mut world, leaver_, peer, Urgency::Held), [Range(leaver_)]);
    let (mut world, [leaver_, peer, _, crashed]) = leaver(false, true);
    assert_eq!(sends(&mut world, leaver_, peer, Urgency::Alone), [Range(leaver_)]);
    assert_eq!(sends(&mut world, leaver_, peer, Urgency::Held), [Range(crashed)]);
}

/// They are the latest that it knows of.
#[test]
fn of_what_nobody_else_has_a_leavers_own_writes_go_first() {
    use Brings::Range;
    let (mut world, [leaver_, peer, _, crashed]) = leaver(false, false);
    assert_eq!(sends(&mut world, leaver_, peer, Urgency::Alone), [Range(leaver_), Range(crashed)]);
}

#[test]
fn a_holder_whose_link_is_down_does_not_count_as_one() {
    let (mut world, [writer, peer, holder]) = World::group(roomy());
    world.put(writer, &key("k"));
    world.exchange(writer, holder);
    world.part(writer, holder);
    assert_eq!(sends(&mut world, writer, peer, Urgency::Alone), [Brings::Range(writer)]);
}

#[test]
fn nothing_is_urgent_for_one_who_leaves_too() {
    let (mut world, [writer, peer, _]) = World::group(roomy());
    world.leave(peer);
    world.exchange(writer, peer);
    world.put(writer, &key("k"));
    assert_eq!(sends(&mut world, writer, peer, Urgency::Alone), []);
    assert_eq!(sends(&mut world, writer, peer, Urgency::Held), [Brings::Range(writer)]);
}

/// There may be many, and each change of the list begins a round about all of them.
#[test]
fn writes_go_before_what_is_said_of_those_who_are_gone() {
    let (mut world, [leaver, peer, ..]) = leaver(false, false);
    assert!(world.operator.bury());
    let list = world.operator.list();
    world.node(leaver).take(&list);
    let link = link(&world, leaver, peer);
    let shard = &mut world.node(leaver).shard;
    let all: Vec<ShardMessage> = std::iter::from_fn(|| shard.poll_transmit(peer, link)).collect();
    let write = all.iter().rposition(|message| matches!(message, ShardMessage::Range(_)));
    let word = all.iter().position(|message| matches!(message, ShardMessage::Settle(_)));
    assert!(write.is_some() && word.is_some() && write < word, "{all:?}");
}

#[test]
fn writes_go_before_a_transfer_that_is_under_way() {
    let (mut world, [writer, peer]) = World::group(tight(100));
    for name in ["a", "b", "c"] {
        world.put(writer, &key(name));
    }
    world.settle();
    let (link, now) = (link(&world, writer, peer), world.now);
    world.node(writer).handle(peer, link, ShardMessage::Fetch { transfer: 7 }, now).expect("it is asked for");
    let first = world.node(writer).shard.poll_transmit(peer, link).expect("the transfer");
    assert_eq!(brings(&first), Some(Brings::Chunk));
    world.put(writer, &key("d"));
    assert_eq!(sends(&mut world, writer, peer, Urgency::Held), [Brings::Range(writer)]);
    assert!(sends(&mut world, writer, peer, Urgency::Backfill).starts_with(&[Brings::Chunk]));
}
