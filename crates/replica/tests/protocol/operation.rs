//! What each operation does to a key, on one replica and where two of them meet.

use baton_replica::{
    Answer, Condition, Done, Key, Operation, Refusal, ReplicaId, Request, ShardMessage, Tag, Value, WriteError,
};

use proptest::prelude::*;

use crate::harness::{Chances, Schedule, World, drive, key, roomy, schedules};

/// Long before and long after everything that happens here.
const LATER: u64 = 1_700_000_060_000;

fn value(text: &str) -> Value {
    Value { content_type: "text/plain".into(), body: text.to_owned().into() }
}

fn put(text: &str) -> Operation {
    Operation::Put { value: value(text), expires_at: None }
}

fn put_until(text: &str, expires_at: u64) -> Operation {
    Operation::Put { value: value(text), expires_at: Some(expires_at) }
}

fn init(text: &str) -> Operation {
    Operation::Init { value: value(text), expires_at: None }
}

fn refused(world: &mut World, at: ReplicaId, operation: Operation) -> Refusal {
    match world.write(at, &key("k"), Condition::Always, operation) {
        Err(WriteError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn done(world: &mut World, at: ReplicaId, operation: Operation) -> Done {
    world.write(at, &key("k"), Condition::Always, operation).expect("can be done")
}

fn text(world: &World, at: ReplicaId, key: &Key) -> Option<String> {
    let read = world.shard(at).get(key, world.now).expect("live")?;
    Some(String::from_utf8_lossy(&read.value.body).into_owned())
}

#[test]
pub(crate) fn a_default_is_put_where_nothing_is_and_only_there() {
    let (mut world, [a]) = World::group(roomy());
    assert!(done(&mut world, a, init("default")).dot.is_some());
    assert_eq!(text(&world, a, &key("k")), Some("default".into()));
    let again = done(&mut world, a, init("other"));
    assert_eq!((again.dot, again.existed), (None, true));
    assert_eq!(text(&world, a, &key("k")), Some("default".into()));
}

#[test]
pub(crate) fn a_default_loses_to_a_value_that_was_put_before_it_and_comes_later() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("real"));
    world.now += 60_000;
    done(&mut world, b, init("default"));
    world.settle();
    for id in [a, b] {
        assert_eq!(text(&world, id, &key("k")), Some("real".into()));
    }
}

#[test]
pub(crate) fn a_default_outlives_the_delete_of_a_value_that_it_has_not_met() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("real"));
    done(&mut world, b, init("default"));
    done(&mut world, a, Operation::Delete);
    world.settle();
    for id in [a, b] {
        assert_eq!(text(&world, id, &key("k")), Some("default".into()));
    }
}

#[test]
pub(crate) fn a_take_answers_with_what_was_there_and_leaves_nothing() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("session"));
    world.settle();
    let taken = done(&mut world, b, Operation::Take);
    let Answer::Taken(Some(read)) = taken.answer else { panic!("{taken:?}") };
    assert_eq!(read.value, value("session"));
    assert_eq!(done(&mut world, b, Operation::Take).answer, Answer::Taken(None));
    world.settle();
    assert_eq!(text(&world, a, &key("k")), None);
}

/// Left out of the context, the take's own dot is held by nobody: a third replica that has the take and not what it took
/// would add what a relay still sends.
#[test]
pub(crate) fn a_take_leaves_its_own_dot_as_a_delete_does() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("session"));
    world.part(a, b);
    let taken = done(&mut world, a, Operation::Take).dot.expect("a write");
    let context = |world: &World| world.shard(a).entries().find(|(k, _)| *k == key("k")).map(|(_, entry)| entry);
    assert!(context(&world).is_some_and(|entry| entry.context().covers(taken)));
}

#[test]
pub(crate) fn a_touch_changes_the_deadline_and_nothing_else() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("value"));
    let before = world.shard(a).get(&key("k"), world.now).expect("live").expect("there");
    let touched = done(&mut world, a, Operation::Touch { expires_at: Some(LATER) });
    world.settle();
    let after = world.shard(b).get(&key("k"), world.now).expect("live").expect("there");
    assert_eq!(after.value, before.value);
    assert_eq!(after.versions()[0].expires_at, Some(LATER));
    assert_eq!(
        (after.versions()[0].hlc, after.versions()[0].writer),
        (before.versions()[0].hlc, before.versions()[0].writer)
    );
    assert_eq!(after.tag, Tag::of_dot(touched.dot.expect("a write")));
    done(&mut world, b, Operation::Touch { expires_at: None });
    world.settle();
    assert_eq!(world.shard(a).next_deadline(), None);
}

#[test]
pub(crate) fn a_touch_of_nothing_writes_nothing() {
    let (mut world, [a]) = World::group(roomy());
    assert_eq!(done(&mut world, a, Operation::Touch { expires_at: None }).dot, None);
}

#[test]
pub(crate) fn a_touch_does_not_win_over_a_newer_value() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("old"));
    world.settle();
    done(&mut world, b, put("new"));
    world.now += 10_000;
    done(&mut world, a, Operation::Touch { expires_at: Some(LATER) });
    world.settle();
    for id in [a, b] {
        assert_eq!(text(&world, id, &key("k")), Some("new".into()));
    }
}

#[test]
pub(crate) fn what_has_expired_is_gone_for_every_operation_before_it_is_dropped() {
    let (mut world, [a]) = World::group(roomy());
    let expired = |world: &mut World| {
        let deadline = world.now + 40_000;
        done(world, a, put_until("5", deadline));
        world.now += 60_000;
    };
    expired(&mut world);
    assert!(!done(&mut world, a, put("new")).existed);
    expired(&mut world);
    assert_eq!(done(&mut world, a, Operation::Delete).dot, None);
    expired(&mut world);
    assert_eq!(done(&mut world, a, Operation::Take).answer, Answer::Taken(None));
    expired(&mut world);
    assert!(done(&mut world, a, init("default")).dot.is_some());
    expired(&mut world);
    assert_eq!(done(&mut world, a, Operation::Touch { expires_at: None }).dot, None);
    expired(&mut world);
    assert_eq!(done(&mut world, a, Operation::Increment(2)).answer, Answer::Count(2));
    done(&mut world, a, Operation::Delete);
    expired(&mut world);
    assert_eq!(refused(&mut world, a, Operation::Claim), Refusal::NoValue);
    expired(&mut world);
    assert!(world.write(a, &key("k"), Condition::Absent, put("x")).is_ok());
}

#[test]
pub(crate) fn an_expired_value_does_not_come_back_from_one_whose_clock_is_behind() {
    let (mut world, [a, b]) = World::group(roomy());
    let deadline = world.now + 5_000;
    done(&mut world, a, put_until("short", deadline));
    world.now += 60_000;
    let now = world.now;
    world.node(a).shard.expire(now, 10);
    world.settle();
    for id in [a, b] {
        world.node(id).shard.expire(now, 10);
        assert_eq!(text(&world, id, &key("k")), None);
    }
    assert_eq!(world.shard(a).digest().map(|digest| digest.sum), world.shard(b).digest().map(|digest| digest.sum));
}

#[test]
pub(crate) fn what_expires_leaves_its_dot_as_if_everybody_had_deleted_it() {
    let (mut world, [a, b]) = World::group(roomy());
    world.part(a, b);
    let deadline = world.now + 40_000;
    let dot = done(&mut world, a, put_until("short", deadline)).dot.expect("a write");
    world.now += 60_000;
    let now = world.now;
    world.node(a).shard.expire(now, 10);
    let entry = world.shard(a).entries().find(|(k, _)| *k == key("k")).map(|(_, entry)| entry);
    assert!(entry.is_some_and(|entry| entry.versions().is_empty() && entry.context().covers(dot)));
}

/// r holds a's short-lived value above its clock, and with it that a's first value is superseded. m has that first value,
/// and all that r claims. If nothing were left of the short-lived value when it ends, nobody would ever tell m.
#[test]
pub(crate) fn what_expires_leaves_superseded_what_it_has_superseded() {
    let (mut world, [a, b, r, m]) = World::group(roomy());
    let part_all = |world: &mut World| {
        for (one, other) in [(a, b), (a, r), (a, m), (b, r), (b, m), (r, m)] {
            world.part(one, other);
        }
    };
    let meet = |world: &mut World, one, other| {
        world.connect(one, other);
        world.exchange(one, other);
    };
    part_all(&mut world);
    done(&mut world, a, put("first"));
    done(&mut world, b, put("sibling"));
    meet(&mut world, a, r);
    meet(&mut world, a, m);
    part_all(&mut world);
    meet(&mut world, b, m);
    part_all(&mut world);
    let deadline = world.now + 100_000;
    let short = done(&mut world, a, put_until("short", deadline)).dot.expect("a write");
    meet(&mut world, a, b);
    world.crash(a);
    world.connect(b, r);
    assert!(world.exchange_until(b, r, |message| matches!(message, ShardMessage::Range(_))));
    world.deliver(b, r);
    world.crash(b);
    assert!(!world.shard(r).clock().covers(short));
    let holds = |world: &World| {
        let read = world.shard(r).get(&key("k"), 0).expect("live").expect("there");
        read.versions().iter().any(|version| version.dot == short)
    };
    assert!(holds(&world), "r has it without claiming it");
    world.now = deadline + 60_000;
    let now = world.now;
    world.node(r).shard.expire(now, 10);
    world.settle();
    for id in [r, m] {
        assert_eq!(text(&world, id, &key("k")), Some("sibling".into()));
        let read = world.shard(id).get(&key("k"), now).expect("live").expect("there");
        assert_eq!(read.versions().len(), 1, "{id} has {read:?}");
        assert_eq!(world.shard(id).digest_mismatches(), 0);
    }
}

#[test]
pub(crate) fn concurrent_puts_are_read_one_or_all() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("first"));
    world.now += 60_000;
    done(&mut world, b, put("second"));
    world.settle();
    for id in [a, b] {
        let read = world.shard(id).get(&key("k"), world.now).expect("live").expect("there");
        assert_eq!(read.value, value("second"));
        let all: Vec<Value> = read.versions().iter().filter_map(|version| version.value.clone()).collect();
        assert_eq!(all, [value("second"), value("first")]);
        let absent = world.write(id, &key("k"), Condition::Absent, put("third"));
        assert_eq!(absent, Err(WriteError::Condition { current: Some(read.tag.clone()) }));
    }
    let tag = world.shard(a).get(&key("k"), world.now).expect("live").expect("there").tag;
    world.write(a, &key("k"), Condition::Matches(tag), put("third")).expect("nobody wrote since");
    world.settle();
    assert_eq!(world.shard(b).get(&key("k"), world.now).expect("live").expect("there").versions().len(), 1);
}

#[test]
pub(crate) fn an_add_and_a_remove_of_one_member_of_a_set_at_once_leave_it_in() {
    let (mut world, [a, b]) = World::group(roomy());
    let member = key("set").with_field(b"member").expect("short");
    let other = key("set").with_field(b"other").expect("short");
    for field in [&member, &other] {
        world.write(a, field, Condition::Always, put("")).expect("added");
    }
    world.settle();
    world.write(a, &member, Condition::Always, put("")).expect("added again");
    world.write(b, &member, Condition::Always, Operation::Delete).expect("removed");
    world.write(b, &other, Condition::Always, Operation::Delete).expect("removed");
    world.settle();
    for id in [a, b] {
        let fields = world.shard(id).fields(&key("set"), b"", None, 10, world.now).expect("live");
        assert!(fields.iter().map(|row| &row.key).eq([&member]));
    }
}

#[test]
pub(crate) fn a_batch_is_done_as_a_whole_or_not_at_all() {
    let (mut world, [a]) = World::group(roomy());
    let request = |name: &str, condition, operation| Request { key: key(name), condition, operation };
    let clock = world.shard(a).clock().clone();
    let fails = vec![
        request("x", Condition::Always, put("1")),
        request("y", Condition::Always, put("text")),
        request("y", Condition::Always, Operation::Increment(1)),
    ];
    let rejected = world.write_all(a, fails).expect_err("not an integer");
    assert_eq!((rejected.at, rejected.error), (2, WriteError::Refused(Refusal::NotAnInteger)));
    let fails = vec![request("x", Condition::Always, put("1")), request("y", Condition::Present, put("2"))];
    assert_eq!(world.write_all(a, fails).expect_err("absent").at, 1);
    assert_eq!(world.shard(a).clock(), &clock);
    assert_eq!(world.names(a), Vec::<String>::new());
    let works = vec![
        request("x", Condition::Absent, put("1")),
        request("x", Condition::Absent, Operation::Increment(4)),
        request("y", Condition::Absent, put("2")),
        request("x", Condition::Always, Operation::Claim),
        request("y", Condition::Always, Operation::Delete),
        request("z", Condition::Absent, Operation::Delete),
    ];
    let done = world.write_all(a, works).expect("possible");
    assert_eq!(done.iter().filter(|done| done.dot.is_some()).count(), 5);
    assert_eq!(done[1].answer, Answer::Count(5));
    assert_eq!(world.names(a), ["x"]);
}

#[test]
pub(crate) fn a_batch_comes_from_its_writer_in_one_step() {
    let (mut world, [a, b]) = World::group(crate::harness::tight(64));
    let request = |name: &str| Request { key: key(name), condition: Condition::Always, operation: put("v") };
    world.write_all(a, vec![request("x"), request("y"), request("z")]).expect("possible");
    world.write(a, &key("w"), Condition::Always, put("v")).expect("possible");
    let mut seen = vec![world.names(b).len()];
    while world.pump(a, b, 1) | world.deliver(a, b) | world.pump(b, a, 1) | world.deliver(b, a) {
        seen.push(world.names(b).len());
    }
    seen.dedup();
    assert_eq!(seen, [0, 3, 4]);
}

#[test]
pub(crate) fn a_batch_beyond_the_limits_is_refused() {
    let (mut world, [a]) = World::group(roomy());
    let many = (0..=baton_replica::MAX_BATCH).map(|number| Request {
        key: key(&number.to_string()),
        condition: Condition::Always,
        operation: put("v"),
    });
    let rejected = world.write_all(a, many.collect()).expect_err("too many");
    assert_eq!(rejected.error, WriteError::Refused(Refusal::TooLarge));
    assert_eq!(world.names(a), Vec::<String>::new());
}

/// Two batches at once, each with its writes in another order.
#[test]
fn a_batch_wins_or_loses_as_one() {
    let (mut world, [a, b, c]) = World::group(roomy());
    let request =
        |name: &str, text: &str| Request { key: key(name), condition: Condition::Always, operation: put(text) };
    let now = world.now;
    for (at, text, order) in [(a, "a", ["x", "y"]), (c, "c", ["y", "x"])] {
        let node = world.node(at);
        let requests = order.map(|name| request(name, text)).to_vec();
        node.shard.write(requests, now + node.skew).expect("possible");
        node.wake_all();
    }
    world.settle();
    for id in [a, b, c] {
        assert_eq!(text(&world, id, &key("x")), text(&world, id, &key("y")));
    }
}

/// All writes are batches to the same keys, and the window holds them all: but for the first one there is no transfer.
fn check_batches(mut schedule: Schedule) {
    schedule.limits.iter_mut().for_each(|limits| limits.max_slots = 10_000);
    let names = ["x", "y", "z"];
    let mut number = 0_u32;
    let act = |world: &mut World, at: ReplicaId, _: &Key, choice: u8| {
        number += 1;
        let first = usize::from(choice / 4) % names.len();
        let operation = if choice.is_multiple_of(4) { Operation::Delete } else { put(&number.to_string()) };
        let request =
            |name: &&str| Request { key: key(name), condition: Condition::Always, operation: operation.clone() };
        let order = names.iter().cycle().skip(first).take(names.len());
        drop(world.write_all(at, order.map(request).collect()));
    };
    drive(&schedule, act, |world| {
        for at in world.ids().into_iter().filter(|at| !world.shard(*at).is_joining()) {
            let texts = names.map(|name| text(world, at, &key(name)));
            assert!(texts[0] == texts[1] && texts[1] == texts[2], "{at} sees {texts:?}");
        }
    });
}

proptest! {
    #![proptest_config(crate::harness::config(96))]

    #[test]
    fn no_reader_sees_a_part_of_a_batch_to_keys_that_only_such_batches_write(
        schedule in schedules(Chances { put: 16, delete: 8, ..Chances::EVERYTHING }, 200),
    ) {
        check_batches(schedule);
    }
}
