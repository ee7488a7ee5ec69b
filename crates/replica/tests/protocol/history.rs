//! What is there in the end is what the history of all operations says: every version that was made and that no later
//! operation had seen, whatever the operations were.

use baton_replica::{Condition, Key, Operation, ReplicaId, Value};
use proptest::prelude::*;

use crate::deletion;
use crate::harness::{Chances, Schedule, World, drive, schedules};

fn put(text: String) -> Operation {
    Operation::Put { value: Value { content_type: "".into(), body: text.into() }, expires_at: None }
}

fn act(world: &mut World, at: ReplicaId, key: &Key, choice: u8) {
    let operation = match choice % 12 {
        0 | 1 => put(choice.to_string()),
        2 => Operation::Init { value: Value { content_type: "".into(), body: "0".into() }, expires_at: None },
        3 => Operation::Delete,
        4 => Operation::Take,
        5 => Operation::Touch { expires_at: None },
        6 | 7 => Operation::Claim,
        8 => Operation::Release,
        9 => {
            world.adopt(at);
            return;
        }
        _ => Operation::Increment(choice.into()),
    };
    drop(world.write_noted(at, key, Condition::Always, operation));
}

fn check(schedule: &Schedule) {
    let mut returned = deletion::check();
    let mut world = drive(schedule, act, |world| {
        for at in world.ids() {
            returned(world, at);
        }
    });
    world.settle();
    world.assert_settled();
}

proptest! {
    #![proptest_config(crate::harness::config(128))]

    #[test]
    fn every_operation_ends_as_its_history_says(
        schedule in schedules(Chances { put: 14, delete: 14, spawn: 3, ..Chances::EVERYTHING }, 200),
    ) {
        check(&schedule);
    }
}
