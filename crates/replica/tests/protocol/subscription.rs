//! Who follows a shard's changes sees each change that a reader would see, once, with what was there before.

use std::collections::BTreeMap;

use baton_replica::{Condition, Key, Operation, Read, ReplicaId, Request, State, Value};
use proptest::prelude::*;

use crate::harness::{Chances, World, drive, key, roomy, schedules};

fn value(text: &str) -> Value {
    Value { content_type: "".into(), body: text.to_owned().into() }
}

fn put(text: &str, expires_at: Option<u64>) -> Operation {
    Operation::Put { value: value(text), expires_at }
}

fn state(read: Read) -> State {
    let expires_at = read.versions()[0].expires_at;
    let Read { value, tag, owner, .. } = read;
    State { value, tag, owner, expires_at }
}

/// What each replica's changes, taken one after the other, add up to.
#[derive(Debug, Default)]
struct Followers(BTreeMap<ReplicaId, BTreeMap<Key, State>>);

impl Followers {
    fn follow(&mut self, world: &mut World) {
        for at in world.ids() {
            let shard = &mut world.nodes.get_mut(&at).expect("alive").shard;
            let there: BTreeMap<Key, State> = if shard.is_joining() {
                BTreeMap::new()
            } else {
                let row = |key: Key| Some((key.clone(), state(shard.get(&key, 0).expect("live")?)));
                shard.entries().filter_map(|(key, _)| row(key)).collect()
            };
            shard.watch(true);
            let followed = self.0.entry(at).or_insert_with(|| there.clone());
            for change in shard.take_changes() {
                assert_ne!(change.before, change.after, "nothing changed at {at}");
                assert_eq!(followed.get(&change.key), change.before.as_ref(), "{at} had something else");
                match change.after {
                    Some(state) => followed.insert(change.key, state),
                    None => followed.remove(&change.key),
                };
            }
            assert!(shard.is_joining() || *followed == there, "{at} has told another story");
        }
        self.0.retain(|at, _| world.nodes.contains_key(at));
    }
}

fn act(world: &mut World, at: ReplicaId, key: &Key, choice: u8) {
    let now = world.now + world.nodes[&at].skew;
    let soon = Some(now + u64::from(choice) * 100);
    let operation = match choice % 16 {
        0 | 1 => put(&choice.to_string(), None),
        2 | 3 => put(&choice.to_string(), soon),
        4 => Operation::Init { value: value("default"), expires_at: None },
        5 => Operation::Delete,
        6 => Operation::Take,
        7 => Operation::Touch { expires_at: soon },
        8 => Operation::Claim,
        9 => Operation::Release,
        10 => {
            world.adopt(at);
            return;
        }
        11 => {
            world.node(at).shard.expire(now, 2);
            return;
        }
        12 => {
            let request = |operation| Request { key: key.clone(), condition: Condition::Always, operation };
            let requests = [put("1", None), Operation::Increment(1), Operation::Claim].map(request);
            drop(world.write_all(at, requests.into()));
            return;
        }
        _ => Operation::Increment(1),
    };
    drop(world.write(at, key, Condition::Always, operation));
}

proptest! {
    #![proptest_config(crate::harness::config(128))]

    #[test]
    fn changes_add_up_to_what_is_there(
        schedule in schedules(Chances { put: 16, delete: 16, spawn: 3, ..Chances::EVERYTHING }, 240),
    ) {
        let mut followers = Followers::default();
        drive(&schedule, act, |world| followers.follow(world));
    }
}

#[test]
fn an_end_by_time_is_told_before_what_follows_it() {
    let (mut world, [a]) = World::group(roomy());
    let now = world.now + 60_000;
    let shard = &mut world.node(a).shard;
    shard.watch(true);
    let mut write = |operation, now| {
        shard.write_one(&key("k"), &Condition::Always, operation, now).expect("live");
        let changes = shard.take_changes().into_iter();
        changes.map(|change| [change.before, change.after].map(|state| Some(state?.value))).collect::<Vec<_>>()
    };
    let (old, new) = (Some(value("old")), Some(value("new")));
    assert_eq!(write(put("old", Some(now + 10)), now), [[None, old.clone()]]);
    assert_eq!(write(put("new", None), now + 10), [[old, None], [None, new.clone()]]);
    assert_eq!(write(Operation::Claim, now + 20), [[new.clone(), new]]);
}
