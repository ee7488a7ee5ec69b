//! Invariant: a counter's value is the sum of the increments that were accepted and not lost with a crash, whatever was
//! lost, repeated or late on the way, and whoever has taken over what retired replicas had added.

use std::collections::{BTreeMap, BTreeSet};

use baton_replica::{Answer, Condition, Dot, Key, MemberPhase, Operation, Read, Refusal, ReplicaId, Value, WriteError};
use proptest::prelude::*;

use crate::harness::{Chances, Schedule, World, drive, key, roomy, schedules};

fn put(text: &str) -> Operation {
    Operation::Put { value: Value { content_type: "".into(), body: text.to_owned().into() }, expires_at: None }
}

fn read(world: &World, at: ReplicaId, key: &Key) -> Option<Read> {
    world.shard(at).get(key, world.now).expect("live")
}

fn count(world: &World, at: ReplicaId) -> Option<i64> {
    read(world, at, &key("k"))?.value.integer()
}

fn versions(world: &World, at: ReplicaId) -> usize {
    read(world, at, &key("k")).map_or(0, |read| read.versions().len())
}

fn done(world: &mut World, at: ReplicaId, operation: Operation) -> Answer {
    world.write(at, &key("k"), Condition::Always, operation).expect("can be done").answer
}

#[test]
pub(crate) fn increments_that_meet_are_all_counted() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("10"));
    world.settle();
    for (at, by) in [(a, 1), (b, 20), (c, 300), (b, -7), (a, 4000)] {
        done(&mut world, at, Operation::Increment(by));
    }
    world.settle();
    for id in [a, b, c] {
        assert_eq!(count(&world, id), Some(10 + 1 + 20 + 300 - 7 + 4000));
    }
    assert_eq!(versions(&world, a), 3);
}

#[test]
pub(crate) fn a_put_starts_a_counter_anew_but_for_who_adds_at_the_same_time() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, Operation::Increment(1));
    done(&mut world, b, Operation::Increment(20));
    world.settle();
    done(&mut world, a, put("1000"));
    world.settle();
    assert_eq!(count(&world, b), Some(1000));
    done(&mut world, b, Operation::Increment(20));
    world.settle();
    done(&mut world, a, put("2000"));
    done(&mut world, b, Operation::Increment(300));
    world.settle();
    for id in [a, b] {
        assert_eq!(count(&world, id), Some(2320));
    }
}

#[test]
pub(crate) fn what_cannot_be_added_to_stays_as_it_is() {
    let (mut world, [a]) = World::group(roomy());
    for (held, by, refusal) in [
        ("text", 1, Refusal::NotAnInteger),
        ("1.5", 1, Refusal::NotAnInteger),
        ("9223372036854775808", 0, Refusal::NotAnInteger),
        ("9223372036854775807", 1, Refusal::Overflow),
        ("-9223372036854775808", -1, Refusal::Overflow),
    ] {
        done(&mut world, a, put(held));
        let before = (read(&world, a, &key("k")), world.shard(a).clock().clone());
        let refused = world.write(a, &key("k"), Condition::Always, Operation::Increment(by));
        assert_eq!(refused, Err(WriteError::Refused(refusal)), "{held} + {by}");
        assert_eq!((read(&world, a, &key("k")), world.shard(a).clock().clone()), before);
    }
    done(&mut world, a, put("9223372036854775807"));
    assert_eq!(done(&mut world, a, Operation::Increment(-1)), Answer::Count(i64::MAX - 1));
    assert_eq!(done(&mut world, a, Operation::Increment(1)), Answer::Count(i64::MAX));
}

#[test]
pub(crate) fn one_replicas_part_may_not_overflow_although_the_sum_would_fit() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, Operation::Increment(i64::MAX));
    done(&mut world, b, Operation::Increment(-10));
    world.settle();
    let refused = world.write(a, &key("k"), Condition::Always, Operation::Increment(5));
    assert_eq!(refused, Err(WriteError::Refused(Refusal::Overflow)));
    assert_eq!(count(&world, a), Some(i64::MAX - 10));
}

#[test]
pub(crate) fn a_counter_keeps_its_deadline_when_it_is_added_to() {
    let (mut world, [a, b]) = World::group(roomy());
    let deadline = world.now + 100_000;
    done(&mut world, a, Operation::Increment(1));
    done(&mut world, a, Operation::Touch { expires_at: Some(deadline) });
    world.settle();
    done(&mut world, b, Operation::Increment(1));
    done(&mut world, a, Operation::Increment(1));
    world.settle();
    assert_eq!(count(&world, b), Some(3));
    world.now = deadline;
    for id in [a, b] {
        assert_eq!(count(&world, id), None);
    }
}

#[test]
pub(crate) fn the_deadline_of_a_counter_to_which_others_have_added_cannot_be_changed() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("5"));
    done(&mut world, a, Operation::Increment(1));
    world.settle();
    let touch = Operation::Touch { expires_at: None };
    let refused = world.write(b, &key("k"), Condition::Always, touch.clone());
    assert_eq!(refused, Err(WriteError::Refused(Refusal::Shared)));
    done(&mut world, a, touch);
    done(&mut world, a, Operation::Increment(1));
    world.settle();
    assert_eq!(count(&world, b), Some(7));
}

/// A replica that adds, hands off, ends and is forgotten.
fn visitor(world: &mut World, by: i64) {
    let id = world.spawn();
    world.settle();
    done(world, id, Operation::Increment(by));
    world.leave(id);
    world.settle();
    world.seal(id);
    world.settle();
    assert!(world.exit(id));
    world.settle();
    assert!(!world.operator.list().members.iter().any(|row| row.replica == id), "{id} is listed yet");
}

#[test]
pub(crate) fn what_a_retired_replica_has_added_is_taken_over_by_the_oldest_alone() {
    let (mut world, [a, b]) = World::group(roomy());
    visitor(&mut world, 100);
    done(&mut world, b, Operation::Increment(1));
    world.settle();
    assert_eq!((versions(&world, a), count(&world, a)), (2, Some(101)));
    done(&mut world, a, Operation::Increment(1));
    world.settle();
    for id in [a, b] {
        let by: Vec<ReplicaId> =
            read(&world, id, &key("k")).expect("there").versions().iter().map(|v| v.dot.replica).collect();
        assert_eq!((by.len(), count(&world, id)), (2, Some(102)));
        assert!(by.contains(&a) && by.contains(&b));
    }
}

#[test]
pub(crate) fn the_oldest_takes_over_with_somebodys_increment_when_there_is_too_much() {
    let (mut world, [a, b]) = World::group(roomy());
    for _ in 0..33 {
        visitor(&mut world, 10);
    }
    assert_eq!((versions(&world, a), versions(&world, b)), (33, 33));
    done(&mut world, b, Operation::Increment(1));
    world.settle();
    for id in [a, b] {
        assert_eq!((versions(&world, id), count(&world, id)), (2, Some(331)));
    }
}

#[test]
pub(crate) fn a_deleted_counter_does_not_come_back_without_an_increment() {
    let (mut world, [a, b]) = World::group(roomy());
    for _ in 0..33 {
        visitor(&mut world, 10);
    }
    done(&mut world, b, Operation::Delete);
    world.settle();
    assert_eq!((count(&world, a), count(&world, b)), (None, None));
}

/// Which increments are in each version that was ever made, and what was put.
#[derive(Debug, Default)]
struct Ledger {
    by: BTreeMap<Dot, i64>,
    versions: BTreeMap<Dot, Line>,
    /// Increments that a put or a delete has seen.
    reset: BTreeSet<Dot>,
}

/// What is in one version.
#[derive(Clone, Debug, Default)]
struct Line {
    base: Option<i64>,
    increments: BTreeSet<Dot>,
}

impl Ledger {
    /// Does one operation and says in the ledger what it ought to have done.
    fn act(&mut self, world: &mut World, at: ReplicaId, key: &Key, choice: u8) {
        let far = Some(world.now + 1_000_000_000);
        let operation = match choice % 12 {
            0 => put(&choice.to_string()),
            1 => Operation::Delete,
            2 => Operation::Take,
            3 => Operation::Touch { expires_at: if choice < 64 { None } else { far } },
            4 => Operation::Claim,
            _ => Operation::Increment(i64::from(choice) * 3 - 50),
        };
        let Ok(before) = world.shard(at).get(key, world.now) else { return };
        let before: Vec<Dot> = before.into_iter().flat_map(|read| read.versions()).map(|version| version.dot).collect();
        let Ok(done) = world.write(at, key, Condition::Always, operation.clone()) else { return };
        let after: Vec<Dot> =
            read(world, at, key).into_iter().flat_map(|read| read.versions()).map(|v| v.dot).collect();
        let Some(dot) = done.dot else { return };
        let gone: Vec<Dot> = before.iter().filter(|dot| !after.contains(dot)).copied().collect();
        let increments = || gone.iter().flat_map(|dot| self.versions[dot].increments.clone()).collect::<BTreeSet<_>>();
        match operation {
            Operation::Put { .. } => {
                self.reset.extend(increments());
                self.versions.insert(dot, Line { base: Some(choice.into()), ..Line::default() });
            }
            Operation::Delete | Operation::Take => {
                let reset = increments();
                self.reset.extend(reset);
            }
            Operation::Touch { .. } => {
                let base = self.versions[&before[0]].base;
                self.versions.insert(dot, Line { base, increments: increments() });
            }
            Operation::Increment(by) => {
                let roster = world.shard(at).roster();
                let may = |gone: &Dot| gone.replica == at || (roster.is_oldest() && !roster.lists(gone.replica));
                assert!(gone.iter().all(may), "{at} took over what was not its to take");
                let mut increments = increments();
                increments.insert(dot);
                let base = gone.iter().find_map(|dot| self.versions[dot].base);
                self.versions.insert(dot, Line { base, increments });
                self.by.insert(dot, by);
            }
            _ => {}
        }
        self.check(world, at, key);
    }

    /// The value is what was put and every increment in it, each once.
    fn check(&self, world: &World, at: ReplicaId, key: &Key) {
        let Some(read) = read(world, at, key) else { return };
        let lines: Vec<&Line> = read.versions().iter().map(|version| &self.versions[&version.dot]).collect();
        let mut counted = BTreeSet::new();
        for dot in lines.iter().flat_map(|line| &line.increments) {
            assert!(counted.insert(*dot), "{at} counts {dot} twice");
        }
        let sum: i64 = counted.iter().map(|dot| self.by[dot]).sum();
        assert_eq!(read.value.integer(), Some(lines[0].base.unwrap_or(0) + sum), "at {at}");
    }

    /// All members count the same, and if nobody has crashed, no increment is missing.
    fn check_end(&self, world: &World, crashes: bool) {
        let staying: Vec<ReplicaId> = world.nodes.iter().filter(|(_, node)| !node.sealed).map(|(id, _)| *id).collect();
        let mut counted = self.reset.clone();
        for key in (0..4).map(|number| key(&format!("k{number}"))) {
            let reads: Vec<Option<Read>> = staying.iter().map(|id| read(world, *id, &key)).collect();
            for (id, here) in staying.iter().zip(&reads) {
                self.check(world, *id, &key);
                let value =
                    |read: &Option<Read>| read.as_ref().map(|read| (read.value.clone(), read.versions().clone()));
                assert_eq!(value(here), value(&reads[0]), "{id} and {} differ", staying[0]);
            }
            let versions = reads.into_iter().flatten().flat_map(|read| read.versions());
            counted.extend(versions.flat_map(|version| self.versions[&version.dot].increments.clone()));
        }
        if !crashes {
            let lost: Vec<&Dot> = self.by.keys().filter(|dot| !counted.contains(dot)).collect();
            assert!(lost.is_empty(), "lost {lost:?}");
        }
    }
}

fn check(schedule: &Schedule, crashes: bool) {
    let mut ledger = Ledger::default();
    let world = drive(schedule, |world, at, key, choice| ledger.act(world, at, key, choice), |_| {});
    ledger.check_end(&world, crashes);
}

/// Increments only, by processes that come, hand off and go, and now and then one that is removed while it lives on.
#[derive(Debug, Default)]
struct Tally {
    sums: BTreeMap<Key, i64>,
    removed: Option<ReplicaId>,
}

impl Tally {
    fn act(&mut self, world: &mut World, at: ReplicaId, key: &Key, choice: u8) {
        let is_away = self.removed.is_some_and(|removed| world.nodes.contains_key(&removed));
        match choice % 16 {
            0 if !is_away && world.can_spare(at) && world.nodes[&at].phase == MemberPhase::Active => {
                world.cut_off(at);
                self.removed = Some(at);
            }
            1 if is_away => {
                self.bring_back(world);
            }
            _ => {
                let by = i64::from(choice) - 100;
                if world.write(at, key, Condition::Always, Operation::Increment(by)).is_ok() {
                    *self.sums.entry(key.clone()).or_default() += by;
                }
            }
        }
    }

    /// The one that is away is removed, hears of it and comes back, unless the state would be gone with it. Says whether
    /// everybody can have everything now.
    fn bring_back(&mut self, world: &mut World) -> bool {
        let Some(removed) = self.removed.filter(|removed| world.nodes.contains_key(removed)) else { return true };
        world.settle();
        // A sealed process settles nothing; it ends as soon as it may.
        let sealed: Vec<ReplicaId> = world.nodes.iter().filter(|(_, node)| node.sealed).map(|(id, _)| *id).collect();
        for id in sealed.into_iter().filter(|id| *id != removed) {
            if world.shard(id).is_joining() {
                world.crash(id);
            } else if world.can_spare(id) {
                world.exit(id);
            }
        }
        let takes_part = |id: &ReplicaId| *id != removed && !world.nodes[id].sealed && !world.shard(*id).is_joining();
        if world.nodes[&removed].sealed || !world.ids().iter().any(takes_part) {
            return false;
        }
        self.removed = None;
        world.expel(removed);
        world.settle();
        world.come_back(removed);
        world.settle();
        true
    }
}

fn check_removed(schedule: &Schedule) {
    let mut tally = Tally::default();
    let mut world = drive(schedule, |world, at, key, choice| tally.act(world, at, key, choice), |_| {});
    if !tally.bring_back(&mut world) {
        return;
    }
    world.settle();
    for (at, _) in world.nodes.iter().filter(|(_, node)| !node.sealed) {
        for (key, sum) in &tally.sums {
            assert_eq!(read(&world, *at, key).and_then(|read| read.value.integer()), Some(*sum), "{key:?} at {at}");
        }
    }
}

proptest! {
    #![proptest_config(crate::harness::config(192))]

    #[test]
    fn no_increment_is_lost_or_counted_twice_when_a_process_is_removed_and_comes_back(
        schedule in schedules(Chances { put: 16, delete: 16, spawn: 4, leave: 4, crash: 0, ..Chances::EVERYTHING }, 200),
    ) {
        check_removed(&schedule);
    }

    #[test]
    fn no_increment_is_counted_twice(schedule in schedules(Chances { put: 16, delete: 16, ..Chances::EVERYTHING }, 240)) {
        check(&schedule, true);
    }

    #[test]
    fn no_increment_is_lost_by_those_who_hand_off(
        schedule in schedules(Chances { put: 16, delete: 16, spawn: 4, leave: 6, crash: 0, ..Chances::EVERYTHING }, 240),
    ) {
        check(&schedule, false);
    }
}
