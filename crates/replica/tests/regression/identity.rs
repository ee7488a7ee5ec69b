//! Who is who: an id names one run of one process, and comes back never.

use baton_replica::{
    Applied, Condition, Entry, LinkId, MemberPhase, Operation, ProtocolError, Range, RangeItem, ReplicaId, Roster,
    Shard, ShardMessage, VersionVector,
};

use crate::harness::{World, key, list, roomy};

fn count(world: &World, at: ReplicaId) -> Option<i64> {
    world.shard(at).get(&key("counter"), world.now).expect("live")?.counter
}

fn add(world: &mut World, at: ReplicaId, by: i64) {
    world.write(at, &key("counter"), Condition::Always, Operation::Increment(by)).expect("an integer");
}

/// riak_kv#679, #1643, #1813: a replica that had lost its memory used its counters again, and its new writes were taken for
/// old ones.
#[test]
fn writes_that_a_replica_has_not_made_are_refused_by_it() {
    let (mut world, [a, b]) = World::group(roomy());
    world.put(a, &key("k"));
    world.settle();
    let (link, now) = (world.network.link(a, b).expect("up"), world.now);
    let clock = VersionVector::from_iter([(a, 2)]);
    let applied =
        Applied { clock, full: true, answers_range: false, heard_leaving: 0, leaving: 0, founders: Vec::new() };
    let refused = world.node(a).shard.handle(b, link, ShardMessage::Applied(applied), now);
    assert_eq!(refused, Err(ProtocolError::FutureOfMine { claimed: 2, made: 1 }));
}

/// hazelcast#21428, hazelcast#20220, actor-ts#955: a counter's share went by address, so that a member that started again at
/// its old address overwrote what it had counted before.
#[test]
fn a_process_that_starts_again_adds_to_what_it_had_counted() {
    let (mut world, [a, b]) = World::group(roomy());
    add(&mut world, b, 5);
    world.settle();
    world.crash(b);
    let again = world.spawn();
    world.settle();
    assert_ne!(again, b, "a run of a process has an id of its own");
    add(&mut world, again, 2);
    add(&mut world, a, 1);
    world.settle();
    assert_eq!((count(&world, a), count(&world, again)), (Some(8), Some(8)));
    for _ in 0..3 {
        let oldest = world.ids()[0];
        world.spawn();
        world.settle();
        world.crash(oldest);
        world.settle();
        let next = world.ids()[0];
        add(&mut world, next, 1);
        world.settle();
    }
    let counts: Vec<Option<i64>> = world.ids().into_iter().map(|id| count(&world, id)).collect();
    assert!(counts.iter().all(|count| *count == Some(11)), "{counts:?}");
}

/// OpenRiak/riak_kv#151: a member that was taken off the list came back with its old identity and its old clock.
#[test]
pub(crate) fn an_id_that_was_removed_is_refused_for_ever() {
    let (mut world, [a, removed]) = World::group(roomy());
    let dot = world.put(removed, &key("k")).expect("live");
    let (link, now) = (world.network.link(a, removed).expect("up"), world.now);
    let range = world.node(removed).shard.poll_transmit(a, link).expect("its write");
    world.operator.report(removed, MemberPhase::Gone);
    world.push(a);
    assert_eq!(world.shard(a).roster().peer(removed).map(|peer| peer.phase), Some(MemberPhase::Gone));
    let _ = world.node(a).shard.link_up(removed, link);
    assert_eq!(world.node(a).shard.handle(removed, link, range, now), Err(ProtocolError::NoMember(removed)));
    assert!(!world.shard(a).clock().covers(dot));
    world.push(removed);
    assert!(world.nodes[&removed].roster.is_fenced(), "it is told that it must take a new id");
}

/// delta_crdt names its replicas by 30 random bits, of which two in 40,000 are the same with an even chance. All 64 bits of
/// an id count, and ids that differ in one alone are two members.
#[test]
fn an_id_has_64_bits_and_each_of_them_counts() {
    let id = |bits| ReplicaId::new(bits).expect("not zero");
    let me = id(1);
    let others: Vec<ReplicaId> = (1..64).map(|bit| id(1 | 1 << bit)).collect();
    let mut rows: Vec<_> = others.iter().map(|other| (*other, MemberPhase::Active)).collect();
    rows.push((me, MemberPhase::Active));
    let mut roster = Roster::new(me);
    roster.take(&list(1, &rows));
    let mut shard = Shard::new(0, Roster::new(me), roomy());
    let _ = shard.set_roster(roster);
    let _ = shard.start_empty();
    for other in &others {
        let _ = shard.link_up(*other, LinkId(1));
        let entry = Entry::new(Vec::new(), VersionVector::from_iter([(*other, 1)]));
        let items = vec![RangeItem { key: key("k"), slots: vec![1], entry }];
        let range = Range { origin: *other, from: 0, to: 1, items, continued: Vec::new(), token: 0, level: 0 };
        shard.handle(*other, LinkId(1), ShardMessage::Range(range), 0).expect("a sound range");
    }
    assert_eq!(shard.members_that_count(), 63);
    assert_eq!((shard.clock().len(), shard.clock().get(me)), (63, 0), "nobody's writes are another's");
    assert!(others.iter().all(|other| other.to_string().parse() == Ok(*other)));
}
