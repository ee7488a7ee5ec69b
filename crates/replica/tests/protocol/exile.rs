//! Invariant: while no process crashes, nothing that was accepted is lost, brought back or counted twice, whoever is
//! removed, comes back, is removed again while it still issues again, or leaves, in any order.

use std::collections::BTreeSet;

use baton_replica::{Condition, MemberPhase, Operation, ReplicaId, Value};

use crate::harness::{World, key, tight};

/// Runs of the test; some milliseconds each.
const RUNS: u64 = 150;

const STEPS: usize = 120;

/// What must be true in the end.
#[derive(Debug, Default)]
struct Truth {
    /// All that was added.
    sum: i64,
    /// All that was put, by its text.
    put: BTreeSet<String>,
    /// What somebody saw, and put or deleted over.
    superseded: BTreeSet<String>,
}

/// A small generator of numbers: one seed, one run.
struct Dice(u64);

// === impl Dice ===

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn pick(&mut self, ids: &[ReplicaId]) -> Option<ReplicaId> {
        if ids.is_empty() { None } else { Some(ids[self.roll(ids.len())]) }
    }
}

fn texts(world: &World, at: ReplicaId) -> Vec<String> {
    let read = world.shard(at).get(&key("text"), world.now).ok().flatten();
    let values = read.into_iter().flat_map(|read| read.versions()).filter_map(|version| version.value);
    values.map(|value| String::from_utf8_lossy(&value.body).into_owned()).collect()
}

fn step(world: &mut World, dice: &mut Dice, truth: &mut Truth) {
    let ids = world.ids();
    let list = world.operator.list();
    let phase = |id: ReplicaId| list.member(id).map(|row| row.phase);
    let (Some(one), Some(other)) = (dice.pick(&ids), dice.pick(&ids)) else { return };
    world.now += 1;
    let stays = |id: &&ReplicaId| phase(**id) == Some(MemberPhase::Active) && !world.shard(**id).is_joining();
    let can_spare = ids.iter().filter(stays).any(|id| *id != one);
    match dice.roll(20) {
        0..3 => {
            let by = 1 << dice.roll(20);
            if world.write(one, &key("sum"), Condition::Always, Operation::Increment(by)).is_ok() {
                truth.sum += by;
            }
        }
        3 | 4 => {
            let (seen, text) = (texts(world, one), format!("{}-{}", one, world.now));
            let value = Value { content_type: "".into(), body: text.clone().into() };
            let put = Operation::Put { value, expires_at: None };
            if world.write(one, &key("text"), Condition::Always, put).is_ok() {
                truth.put.insert(text);
                truth.superseded.extend(seen);
            }
        }
        5 => {
            let seen = texts(world, one);
            if world.write(one, &key("text"), Condition::Always, Operation::Delete).is_ok() {
                truth.superseded.extend(seen);
            }
        }
        6..10 if one != other => world.exchange(one, other),
        10 if one != other => {
            for _ in 0..dice.roll(4) {
                world.exchange_once(one, other);
            }
        }
        11 | 12 if one != other && world.network.link(one, other).is_none() => world.connect(one, other),
        13 if one != other => world.part(one, other),
        14 => world.push(one),
        15 if can_spare && phase(one) != Some(MemberPhase::Gone) => world.expel(one),
        16 if phase(one) == Some(MemberPhase::Gone) => drop(world.come_back(one)),
        17 | 18 => {
            let now = world.now;
            world.node(one).reissue(now);
        }
        19 => {
            let retired = world.retire();
            // Who leaves with something to be issued again fails, and says so.
            let is_whole = world.shard(one).inherited() == 0 && !world.shard(one).is_joining();
            let may_leave = !retired && is_whole && can_spare && phase(one) == Some(MemberPhase::Active);
            if may_leave && dice.roll(3) == 0 {
                world.leave(one);
                world.seal(one);
                world.exchange(one, other);
                world.exit(one);
            }
        }
        _ => {}
    }
}

fn run(seed: u64) {
    let (mut world, ids) = World::group::<4>(tight(if seed.is_multiple_of(3) { 8 } else { 1_000 }));
    let (mut dice, mut truth) = (Dice(seed), Truth::default());
    for number in 0..STEPS {
        step(&mut world, &mut dice, &mut truth);
        if number % 40 == 39 && dice.roll(2) == 0 {
            settle(&mut world);
        }
    }
    let _ = ids;
    settle(&mut world);
    // Who has left for good is waited for no longer.
    settle(&mut world);
    let alive: BTreeSet<String> = truth.put.difference(&truth.superseded).cloned().collect();
    for id in world.ids() {
        let sum =
            world.shard(id).get(&key("sum"), world.now).expect("live").map_or(0, |read| read.counter.unwrap_or(0));
        assert_eq!(sum, truth.sum, "seed {seed}, the counter at {id}");
        assert_eq!(texts(&world, id).into_iter().collect::<BTreeSet<_>>(), alive, "seed {seed}, at {id}");
    }
    assert!(world.operator.gone().is_empty(), "seed {seed}: somebody stays listed");
}

/// Everybody who was removed comes back, and all leavers end.
fn settle(world: &mut World) {
    let list = world.operator.list();
    let is = |id: ReplicaId, phase| list.member(id).is_some_and(|row| row.phase == phase);
    for id in world.ids() {
        if is(id, MemberPhase::Gone) {
            world.come_back(id);
        }
    }
    world.settle();
    for id in world.ids() {
        if world.nodes[&id].sealed {
            assert!(world.exit(id), "{id} is never covered");
        }
    }
    world.settle();
}

#[test]
pub(crate) fn removals_in_any_order_lose_nothing_and_bring_nothing_back() {
    let first = std::env::var("BATON_FIRST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let runs = std::env::var("BATON_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(RUNS);
    (first..first + runs).for_each(run);
}
