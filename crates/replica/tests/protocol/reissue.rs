//! Invariant: a process that was removed from the group, and lives on under a new id, loses nothing that the group has
//! nothing of, overwrites nothing newer, brings nothing back and counts nothing twice.

use baton_replica::{Condition, MemberPhase, Operation, ReplicaId, ShardMessage, Value, WriteError};

use crate::harness::{World, key, roomy, tight};

/// A group of three, one of which is cut off and removed after some operations of its own; it comes back in the end.
/// Returns the two others and its new id.
fn removed_and_back(
    together: impl FnOnce(&mut World, ReplicaId),
    alone: impl FnOnce(&mut World, ReplicaId),
    meanwhile: impl FnOnce(&mut World, ReplicaId),
) -> (World, [ReplicaId; 3]) {
    let (mut world, [a, b, c]) = World::group(tight(1_000));
    together(&mut world, c);
    world.settle();
    world.cut_off(c);
    alone(&mut world, c);
    world.expel(c);
    world.settle();
    world.now += 1_000;
    meanwhile(&mut world, a);
    world.settle();
    let back = world.come_back(c);
    world.settle();
    assert_eq!(world.shard(back).inherited(), 0);
    assert!(world.operator.gone().is_empty(), "the former id stays listed");
    (world, [a, b, back])
}

/// The same group when the third is back under its new id, and has issued nothing again yet.
fn back_and_held(
    together: impl FnOnce(&mut World, ReplicaId),
    alone: impl FnOnce(&mut World, ReplicaId),
) -> (World, [ReplicaId; 3]) {
    let (mut world, [a, b, c]) = World::group(roomy());
    together(&mut world, a);
    world.settle();
    world.cut_off(c);
    alone(&mut world, c);
    world.expel(c);
    world.settle();
    let back = world.come_back(c);
    world.holds_reissues = true;
    world.settle();
    (world, [a, b, back])
}

fn put(text: &str) -> Operation {
    put_until(text, None)
}

fn put_until(text: &str, expires_at: Option<u64>) -> Operation {
    Operation::Put { value: Value { content_type: "text/plain".into(), body: text.to_owned().into() }, expires_at }
}

fn write(world: &mut World, at: ReplicaId, name: &str, operation: Operation) {
    world.write(at, &key(name), Condition::Always, operation).expect("can be done");
}

/// What every one of them reads.
fn read(world: &World, ids: [ReplicaId; 3], name: &str) -> Option<String> {
    let texts = ids.map(|id| {
        let read = world.shard(id).get(&key(name), world.now).expect("live")?;
        Some(String::from_utf8_lossy(&read.value.body).into_owned())
    });
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    texts[0].clone()
}

#[test]
fn what_it_wrote_alone_comes_back() {
    let (world, ids) = removed_and_back(
        |_, _| {},
        |world, c| {
            for name in ["k1", "k2", "k3"] {
                write(world, c, name, put("alone"));
            }
        },
        |_, _| {},
    );
    for name in ["k1", "k2", "k3"] {
        assert_eq!(read(&world, ids, name), Some("alone".into()));
    }
}

#[test]
pub(crate) fn it_loses_to_what_was_written_later() {
    let (world, ids) = removed_and_back(
        |world, c| write(world, c, "k", put("first")),
        |world, c| write(world, c, "k", put("alone")),
        |world, a| write(world, a, "k", put("newer")),
    );
    assert_eq!(read(&world, ids, "k"), Some("newer".into()));
}

#[test]
fn what_the_group_has_deleted_stays_deleted() {
    let (world, ids) = removed_and_back(
        |world, c| write(world, c, "k", put("together")),
        |_, _| {},
        |world, a| write(world, a, "k", Operation::Delete),
    );
    assert_eq!(read(&world, ids, "k"), None);
}

#[test]
pub(crate) fn what_it_has_replaced_or_deleted_alone_does_not_come_back() {
    let (world, ids) = removed_and_back(
        |world, c| {
            for name in ["replaced", "deleted"] {
                write(world, c, name, put("old"));
            }
        },
        |world, c| {
            write(world, c, "replaced", put("new"));
            write(world, c, "deleted", Operation::Delete);
        },
        |_, _| {},
    );
    assert_eq!(read(&world, ids, "replaced"), Some("new".into()));
    assert_eq!(read(&world, ids, "deleted"), None);
    let read = world.shard(ids[0]).get(&key("replaced"), world.now).expect("live").expect("there");
    assert_eq!(read.versions().len(), 1);
}

#[test]
pub(crate) fn counters_get_the_difference() {
    let (world, ids) = removed_and_back(
        |world, c| write(world, c, "k", Operation::Increment(5)),
        |world, c| write(world, c, "k", Operation::Increment(3)),
        |world, a| write(world, a, "k", Operation::Increment(100)),
    );
    assert_eq!(read(&world, ids, "k"), Some("108".into()));
}

#[test]
fn additions_under_both_ids_count_once_each() {
    let alone = |world: &mut World, c| write(world, c, "k", Operation::Increment(3));
    let (mut world, [a, _, back]) = back_and_held(|_, _| {}, alone);
    world.holds_reissues = false;
    world.settle();
    write(&mut world, back, "k", Operation::Increment(10));
    write(&mut world, back, "k", Operation::Increment(1));
    write(&mut world, a, "k", Operation::Increment(100));
    world.settle();
    let ids = world.ids().try_into().expect("three");
    assert_eq!(read(&world, ids, "k"), Some("114".into()));
}

/// Two that were removed hold the same; the oldest member takes over what retired replicas have added.
#[test]
fn two_that_come_back_with_the_same_count_it_once() {
    let (mut world, [a, b, c, d]) = World::group(roomy());
    for (one, other) in [(a, c), (a, d), (b, c), (b, d)] {
        world.part(one, other);
    }
    write(&mut world, c, "k", Operation::Increment(3));
    world.exchange(c, d);
    world.expel(c);
    world.expel(d);
    world.cut_off(c);
    world.cut_off(d);
    world.settle();
    let first = world.come_back(c);
    world.settle();
    assert!(world.operator.gone().contains(&d));
    let second = world.come_back(d);
    world.settle();
    write(&mut world, a, "k", Operation::Increment(10));
    world.settle();
    assert_eq!(read(&world, [a, first, second], "k"), Some("13".into()));
    assert!(world.operator.gone().is_empty());
}

#[test]
fn operations_wait_for_what_is_to_be_issued_again() {
    let (mut world, [_, _, back]) = back_and_held(|_, _| {}, |world, c| write(world, c, "k", put("alone")));
    let now = world.now;
    assert_eq!(world.shard(back).get(&key("k"), now), Err(WriteError::Joining));
    let deleted = world.write(back, &key("k"), Condition::Always, Operation::Delete);
    assert_eq!(deleted, Err(WriteError::Joining), "it would delete nothing");
    world.holds_reissues = false;
    world.settle();
    write(&mut world, back, "k", Operation::Delete);
}

#[test]
pub(crate) fn nothing_is_handed_off_before_all_is_issued_again() {
    let (mut world, [_, _, back]) = back_and_held(|_, _| {}, |world, c| write(world, c, "k", put("alone")));
    world.holds_reissues = false;
    world.leave(back);
    world.holds_reissues = true;
    world.settle();
    world.holds_reissues = false;
    assert!(!world.is_covered(back));
    assert_eq!(world.shard(back).keys_not_covered(), 1);
    world.settle();
    assert!(world.is_covered(back));
    assert_eq!(world.nodes[&back].phase, MemberPhase::Leaving);
}

/// What was held under a former id was known when the hook was called.
#[test]
fn a_hook_waits_for_what_was_to_be_issued_again_when_it_was_called() {
    let together = |world: &mut World, a| write(world, a, "k", put("together"));
    let (mut world, [a, b, back]) = back_and_held(together, |world, c| write(world, c, "alone", put("alone")));
    world.leave(back);
    world.ask_again(back);
    let watermark = world.shard(back).clock().clone();
    world.settle();
    assert!(!world.shard(back).coverage(&watermark, world.need).covered);
    let now = world.now;
    while world.shard(back).inherited() > 0 {
        world.node(back).reissue(now);
    }
    let has = |world: &World, id| world.shard(id).get(&key("alone"), world.now).expect("live").is_some();
    assert!(!has(&world, a) && !has(&world, b));
    assert!(!world.shard(back).coverage(&watermark, world.need).covered, "the hook returns 0, and nobody has it");
}

/// The members must not take what they have nothing of for lost as soon as they hear of something later.
#[test]
pub(crate) fn nobody_is_forgotten_before_all_is_issued_again() {
    let (mut world, [a, b, c]) = World::group(roomy());
    world.cut_off(c);
    let names = ["k4", "k3", "k2", "k1"];
    for name in names {
        write(&mut world, c, name, put("alone"));
    }
    world.expel(c);
    world.settle();
    let back = world.come_back(c);
    world.holds_reissues = true;
    world.settle();
    let now = world.now;
    assert!(world.node(back).reissue(now), "the first two keys, which were written last");
    world.settle();
    assert_eq!(world.shard(back).inherited(), 2);
    assert!(world.operator.gone().contains(&c));
    world.holds_reissues = false;
    world.settle();
    for name in names {
        assert_eq!(read(&world, [a, b, back], name), Some("alone".into()));
    }
    assert!(world.operator.gone().is_empty(), "the former id stays listed");
}

/// It is removed again before it could issue anything.
#[test]
fn what_was_held_two_ids_ago_comes_back_too() {
    let (mut world, [a, b, c]) = World::group(roomy());
    world.cut_off(c);
    write(&mut world, c, "k1", put("first"));
    world.expel(c);
    let second = world.come_back(c);
    world.holds_reissues = true;
    world.settle();
    world.holds_reissues = false;
    world.cut_off(second);
    world.expel(second);
    let third = world.come_back(second);
    world.settle();
    assert_eq!(read(&world, [a, b, third], "k1"), Some("first".into()));
}

/// Seed 60005669: it has issued again what a retired id of its own wrote, and is removed again, and once more before it has
/// any state. What it brings back then is no part of what the group has.
#[test]
fn what_was_issued_again_stays_when_its_process_is_removed_twice_more() {
    let (mut world, [a, b, c]) = World::group(tight(1_000));
    world.cut_off(c);
    write(&mut world, c, "k", Operation::Increment(5));
    remove(&mut world, &[c]);
    let second = comes_back(&mut world, c);
    assert!(!world.shard(a).roster().lists(c), "not retired yet");
    world.cut_off(second);
    write(&mut world, second, "k", Operation::Increment(1));
    world.expel(second);
    let third = world.come_back(second);
    world.expel(third);
    let fourth = comes_back(&mut world, third);
    assert_eq!(read(&world, [a, b, fourth], "k"), Some("6".into()));
}

/// Seed 30478228: it has brought back a state from before the group was founded anew, and that is the group's since: what
/// is absorbed later counts once, though the process is removed once more.
#[test]
fn what_came_from_before_the_group_was_founded_anew_counts_once_after_another_removal() {
    let (mut world, [a, b, c]) = World::group(tight(1_000));
    write(&mut world, b, "k", Operation::Increment(2));
    world.settle();
    world.expel(c);
    world.cut_off(c);
    world.crash(a);
    world.crash(b);
    let new = world.spawn();
    world.push(new);
    assert!(world.node(new).shard.start_empty().bootstrapped);
    world.became_active(new);
    let second = comes_back(&mut world, c);
    assert_eq!(read(&world, [new, second, second], "k"), Some("2".into()));
    assert!(!world.shard(new).roster().lists(b), "not retired yet");
    remove(&mut world, &[second]);
    write(&mut world, new, "k", Operation::Increment(1));
    let third = comes_back(&mut world, second);
    assert_eq!(read(&world, [new, third, third], "k"), Some("3".into()));
}

/// The same when it is removed before it has issued all of that again: what it has got from the group meanwhile, of a
/// replica that the group has retired, is no part of it.
#[test]
fn what_was_retired_in_a_group_founded_anew_counts_once_with_who_had_not_issued_all_again() {
    let (mut world, [a, b, c]) = World::group(tight(1_000));
    write(&mut world, b, "old", Operation::Increment(10));
    world.settle();
    world.crash(b);
    world.settle();
    world.expel(c);
    world.cut_off(c);
    world.crash(a);
    let new = world.spawn();
    world.push(new);
    assert!(world.node(new).shard.start_empty().bootstrapped);
    world.became_active(new);
    let retired = world.spawn();
    world.settle();
    write(&mut world, retired, "k", Operation::Increment(2));
    write(&mut world, retired, "deleted", put("by nobody else"));
    world.settle();
    world.crash(retired);
    world.operator.retire(c);
    world.settle();
    assert!(!world.shard(new).roster().lists(retired), "not retired yet");
    let second = world.come_back(c);
    world.holds_reissues = true;
    world.settle();
    assert!(world.shard(second).inherited() > 0);
    remove(&mut world, &[second]);
    write(&mut world, new, "k", Operation::Increment(1));
    write(&mut world, new, "deleted", Operation::Delete);
    world.settle();
    let third = world.come_back(second);
    world.holds_reissues = false;
    world.settle();
    let all = [new, third, third];
    assert_eq!(read(&world, all, "k"), Some("3".into()));
    assert_eq!(read(&world, all, "deleted"), None);
    assert_eq!(read(&world, all, "old"), Some("10".into()));
}

/// What another wrote, whom nobody reaches, comes back with it, whether that one ends or not.
#[test]
fn the_writes_of_others_come_back_with_whoever_held_them() {
    let (mut world, [a, b, c, d]) = World::group(roomy());
    for other in [a, b] {
        world.part(other, d);
    }
    world.part(a, c);
    world.part(b, c);
    write(&mut world, d, "k", put("of another"));
    world.exchange(d, c);
    world.expel(c);
    world.cut_off(c);
    let back = world.come_back(c);
    world.cut_off(d);
    world.settle();
    assert_eq!(read(&world, [a, b, back], "k"), Some("of another".into()));
    world.crash(d);
    world.settle();
    assert_eq!(read(&world, [a, b, back], "k"), Some("of another".into()));
}

#[test]
pub(crate) fn what_two_have_held_is_issued_again_by_one() {
    let (mut world, [a, c, d]) = World::group(tight(1_000));
    world.cut_off(a);
    write(&mut world, c, "k", Operation::Increment(5));
    world.exchange(c, d);
    for id in [c, d] {
        world.cut_off(id);
        world.expel(id);
    }
    world.come_into_sight(a);
    world.settle();
    let (c, d) = (world.come_back(c), world.come_back(d));
    world.settle();
    assert_eq!(read(&world, [a, c, d], "k"), Some("5".into()));
    assert_eq!(world.shard(c).inherited() + world.shard(d).inherited(), 0);
    assert!(world.operator.gone().is_empty(), "a former id stays listed");
}

/// A group, some of which reach none of those that stay.
fn parted<const N: usize>(away: impl Fn([ReplicaId; N]) -> Vec<ReplicaId>) -> (World, [ReplicaId; N]) {
    let (mut world, ids) = World::group(tight(1_000));
    let away = away(ids);
    for stays in ids.iter().filter(|id| !away.contains(id)) {
        away.iter().for_each(|gone| world.part(*gone, *stays));
    }
    (world, ids)
}

fn remove(world: &mut World, ids: &[ReplicaId]) {
    for id in ids {
        world.expel(*id);
        world.cut_off(*id);
    }
    world.settle();
}

fn comes_back(world: &mut World, id: ReplicaId) -> ReplicaId {
    let back = world.come_back(id);
    world.settle();
    back
}

/// A group of which two were removed: one has 5 in a counter, and does one thing more; the other knows of the 5 only.
fn two_removed(later: Operation) -> (World, [ReplicaId; 3]) {
    let (mut world, [a, c, d]) = parted(|[_, c, d]| vec![c, d]);
    write(&mut world, c, "k", Operation::Increment(5));
    world.exchange(c, d);
    world.part(c, d);
    write(&mut world, c, "k", later);
    remove(&mut world, &[c, d]);
    (world, [a, c, d])
}

/// Seed 1039045: the process that comes first holds an older write of the same writer, and issues that one again.
#[test]
pub(crate) fn what_one_issues_again_is_superseded_by_what_its_writer_did_later() {
    for (later, expected) in
        [(Operation::Increment(2), Some("7")), (put("new"), Some("new")), (Operation::Delete, None)]
    {
        let (mut world, [a, c, d]) = two_removed(later);
        let d = comes_back(&mut world, d);
        assert_eq!(read(&world, [a, d, d], "k"), Some("5".into()));
        let c = comes_back(&mut world, c);
        assert_eq!(read(&world, [a, c, d], "k").as_deref(), expected);
        assert_eq!(world.shard(c).inherited() + world.shard(d).inherited(), 0);
    }
}

/// Not its writer has superseded it, but another, who comes back later than one who still holds it.
#[test]
fn what_another_has_replaced_or_deleted_does_not_come_back() {
    let (mut world, [a, _, c, d, e]) = parted(|[_, _, c, d, e]| vec![c, d, e]);
    for name in ["replaced", "deleted"] {
        write(&mut world, c, name, put("old"));
    }
    world.exchange(c, d);
    world.exchange(c, e);
    for (one, other) in [(c, d), (c, e), (d, e)] {
        world.part(one, other);
    }
    write(&mut world, d, "replaced", put("new"));
    write(&mut world, d, "deleted", Operation::Delete);
    remove(&mut world, &[c, d, e]);
    let _ = comes_back(&mut world, e);
    let (d, c) = (comes_back(&mut world, d), comes_back(&mut world, c));
    assert_eq!(read(&world, [a, d, c], "deleted"), None);
    assert_eq!(read(&world, [a, d, c], "replaced"), Some("new".into()));
    let read = world.shard(a).get(&key("replaced"), world.now).expect("live").expect("there");
    assert_eq!(read.value_count(), 1, "{:?}", read.versions());
}

/// The same when its writer has crashed.
#[test]
fn what_another_has_deleted_does_not_come_back_without_its_writer() {
    let (mut world, [a, _, c, d, e]) = parted(|[_, _, c, d, e]| vec![c, d, e]);
    write(&mut world, c, "k", put("old"));
    world.exchange(c, d);
    world.exchange(c, e);
    for (one, other) in [(c, d), (c, e), (d, e)] {
        world.part(one, other);
    }
    write(&mut world, d, "k", Operation::Delete);
    world.crash(c);
    remove(&mut world, &[d, e]);
    let (e, d) = (comes_back(&mut world, e), comes_back(&mut world, d));
    assert_eq!(read(&world, [a, d, e], "k"), None);
}

/// A touch keeps the time of what it touches; it is a write of whoever touches, and so is what that one adds.
#[test]
fn additions_to_a_touched_value_outlive_the_return_of_its_writer() {
    let (mut world, [a, b, c]) = World::group(tight(1_000));
    write(&mut world, c, "k", put("5"));
    write(&mut world, c, "touched", put("old"));
    world.settle();
    world.cut_off(c);
    for name in ["k", "touched"] {
        write(&mut world, a, name, Operation::Touch { expires_at: None });
    }
    write(&mut world, a, "k", Operation::Increment(7));
    world.now += 10;
    write(&mut world, c, "k", put("100"));
    write(&mut world, c, "touched", Operation::Delete);
    remove(&mut world, &[c]);
    let c = comes_back(&mut world, c);
    assert_eq!(read(&world, [a, b, c], "k"), Some("107".into()));
    assert_eq!(read(&world, [a, b, c], "touched"), Some("old".into()));
}

/// What is added to an older write that was issued again stays when its writer comes back with the later one.
#[test]
fn additions_to_what_was_issued_again_outlive_the_return_of_its_writer() {
    let (mut world, [a, b, c, e]) = parted(|[_, _, c, e]| vec![c, e]);
    write(&mut world, c, "k", put("5"));
    world.exchange(c, e);
    world.part(c, e);
    write(&mut world, c, "k", put("50"));
    remove(&mut world, &[c, e]);
    let e = comes_back(&mut world, e);
    world.now += 10;
    write(&mut world, e, "k", Operation::Increment(100));
    world.settle();
    assert_eq!(read(&world, [a, b, e], "k"), Some("105".into()));
    let c = comes_back(&mut world, c);
    // Both were put without knowing of each other; the sum goes with whichever is read.
    assert_eq!(read(&world, [a, e, c], "k"), Some("150".into()));
}

/// The first replaces its counter while the second supersedes what it has issued again: what it had added is no more.
#[test]
fn what_a_living_member_has_added_is_not_issued_again_by_another() {
    let (mut world, [a, c, d]) = two_removed(Operation::Increment(2));
    let d = comes_back(&mut world, d);
    write(&mut world, d, "k", Operation::Increment(10));
    world.settle();
    let c = world.come_back(c);
    world.holds_reissues = true;
    world.settle();
    world.cut_off(d);
    write(&mut world, d, "k", put("100"));
    world.holds_reissues = false;
    world.settle();
    world.come_into_sight(d);
    world.settle();
    assert_eq!(read(&world, [a, c, d], "k"), Some("107".into()));
}

/// Of two that come back with the same, the first says it among what it holds of who is gone before it sends it in a
/// range, and crashes. The second has it then, and claims no write that covers it.
#[test]
fn what_another_has_issued_again_and_not_sent_is_handed_off() {
    let (mut world, [a, c, d]) = parted(|[_, c, d]| vec![c, d]);
    let names = ["k1", "k2", "k3"];
    for name in names {
        write(&mut world, c, name, put("alone"));
    }
    world.exchange(c, d);
    remove(&mut world, &[c, d]);
    let (c, d) = (world.come_back(c), world.come_back(d));
    world.holds_reissues = true;
    world.settle();
    world.part(a, d);
    let now = world.now;
    while world.shard(d).inherited() > 0 {
        world.node(d).reissue(now);
    }
    let is_range = |message: &ShardMessage| matches!(message, ShardMessage::Range(_));
    assert!(world.exchange_until(d, c, is_range), "it sends what it issued again");
    world.crash(d);
    while world.shard(c).inherited() > 0 {
        world.node(c).reissue(now);
    }
    world.part(a, c);
    world.leave(c);
    world.seal(c);
    world.connect(a, c);
    // Each message is answered before the next is sent, and the last thing that it says is lost with the process.
    while !world.exit(c) {
        world.pump(c, a, 1);
        world.deliver(c, a);
        while world.pump(a, c, 1) | world.deliver(a, c) {}
    }
    world.settle();
    for name in names {
        assert_eq!(read(&world, [a, a, a], name), Some("alone".into()));
    }
}
