//! Members that are removed although they live, and come back.

use super::{STEPS, write};
use crate::rng::Rng;
use crate::schedule::{Action, WriteKind};

pub(super) fn returners(stays: u32, one: u32, other: u32) -> Vec<Action> {
    let (removed, back) = (0, 10);
    let mut steps = vec![
        Action::Part { a: stays, b: one },
        Action::Part { a: stays, b: other },
        write(one, 0, WriteKind::Increment(5)),
        Action::Meet { a: one, b: other },
        Action::ExilePod { pod: one, removed, back },
        Action::ExilePod { pod: other, removed, back },
    ];
    // Time goes by.
    steps.extend([Action::PushTo { pod: stays }; STEPS / 2]);
    for _ in 0..4 {
        steps.extend([(stays, one), (stays, other), (one, other)].map(|(a, b)| Action::Meet { a, b }));
    }
    // Both have looked at what they hold, and more than once, when they meet again.
    steps.extend([Action::PushTo { pod: stays }; 5 * STEPS]);
    steps.extend([Action::Meet { a: one, b: other }; 2]);
    steps
}

/// The first to come back holds an older sum of the second than that itself does. Whoever stays, and the first under its new
/// id, add to the counter while the second is away, and while nobody has what the other adds.
pub(super) fn turns(rng: &mut Rng, stays: u32, first: u32, second: u32) -> Vec<Action> {
    let add = |pod: u32, by: i64| write(pod, 0, WriteKind::Increment(by));
    let wait = |count: usize| vec![Action::PushTo { pod: stays }; count];
    let mut steps = Vec::new();
    if rng.chance(500) {
        steps.extend([add(stays, 1), Action::Meet { a: stays, b: first }, Action::Meet { a: stays, b: second }]);
    }
    steps.extend([Action::Part { a: stays, b: first }, Action::Part { a: stays, b: second }]);
    steps.extend([add(second, 5), Action::Meet { a: first, b: second }, Action::Part { a: first, b: second }]);
    steps.push(match rng.below(4) {
        0 => write(second, 0, WriteKind::Put),
        1 => write(second, 0, WriteKind::Delete),
        _ => add(second, 20),
    });
    steps.push(add(stays, 100));
    steps.push(Action::ExilePod { pod: first, removed: 0, back: 5 });
    steps.push(Action::ExilePod { pod: second, removed: 0, back: rng.pick(&[5, 60, 120]) });
    steps.extend(wait(6));
    steps.extend([Action::Meet { a: stays, b: first }; 3]);
    steps.extend(wait(rng.within(1, 40) as usize));
    steps.extend([add(first, 1_000), add(stays, 300)]);
    if rng.chance(500) {
        steps.extend([Action::Meet { a: stays, b: first }; 2]);
    }
    steps.extend([Action::Part { a: stays, b: first }, add(first, 3_000), add(stays, 700)]);
    steps.extend(wait(rng.within(20, 60) as usize));
    steps.extend([Action::Meet { a: stays, b: second }; 3]);
    steps.extend(wait(rng.within(1, 40) as usize));
    steps.extend([add(second, 10_000), Action::Meet { a: first, b: second }, Action::Meet { a: stays, b: second }]);
    if rng.chance(500) {
        steps.push(write(first, 0, WriteKind::Put));
    }
    steps.push(Action::Unite { a: stays, b: first });
    steps.extend([(stays, first), (first, second), (stays, second)].map(|(a, b)| Action::Meet { a, b }));
    steps
}
