//! Members that join while others are lost, or while something is deleted.

use super::{STEPS, put, write};
use crate::rng::Rng;
use crate::schedule::{Action, WriteKind};

pub(super) fn newcomer(source: u32, other: u32, new: u32, keys: u64) -> Vec<Action> {
    let mut steps: Vec<Action> = (0..keys).map(|key| put(source, key)).collect();
    steps.extend([Action::Meet { a: source, b: other }, Action::Start]);
    let step = |at: usize| match at % 2 {
        0 => Action::Hear { from: source, to: new },
        _ => Action::Hear { from: new, to: source },
    };
    steps.extend((0..STEPS / 2).map(step));
    steps.extend((keys / 2..keys).map(|key| write(source, key, WriteKind::Delete)));
    steps.extend([Action::Meet { a: source, b: other }; 2]);
    steps.extend((0..2 * STEPS).map(step));
    steps
}

pub(super) fn last_word([origin, source, rest]: [u32; 3], new: u32) -> Vec<Action> {
    let mut steps = vec![
        Action::Part { a: source, b: rest },
        put(source, 1),
        Action::Meet { a: source, b: origin },
        put(origin, 0),
        put(origin, 1),
        Action::Meet { a: origin, b: source },
        Action::Unite { a: source, b: rest },
        Action::Meet { a: source, b: rest },
        Action::Start,
    ];
    steps.extend([Action::PushTo { pod: new }; 4]);
    for at in 0..STEPS / 2 {
        steps.push(match at % 2 {
            0 => Action::Hear { from: new, to: source },
            _ => Action::Hear { from: source, to: new },
        });
    }
    steps.extend([Action::LosePod { pod: origin }, Action::LosePod { pod: source }]);
    // What was on its way from the source arrives late, or not at all.
    steps.extend([Action::PushTo { pod: rest }; 2 * STEPS]);
    steps
}

pub(super) fn unsaid(rng: &mut Rng, [origin, source, rest]: [u32; 3], new: u32) -> Vec<Action> {
    let turns = |a: u32, b: u32, count: usize| {
        let hear = move |at: usize| if at.is_multiple_of(2) { (a, b) } else { (b, a) };
        (0..count).map(hear).map(|(from, to)| Action::Hear { from, to })
    };
    let mut steps = vec![Action::Part { a: origin, b: rest }, Action::Part { a: source, b: rest }];
    steps.extend((0..4).map(|key| put(origin, key)));
    steps.extend([Action::Meet { a: origin, b: source }, Action::Start]);
    steps.extend([Action::PushTo { pod: new }; 4]);
    // A part of what the source has, and not all.
    steps.extend(turns(new, source, rng.within(8, 12) as usize));
    steps.extend([Action::LosePod { pod: origin }, Action::LosePod { pod: source }]);
    steps.extend([rest, new, rest, new].map(|pod| Action::PushTo { pod }));
    // It takes the state from who is left, and all that it says is that it has it.
    steps.extend(turns(new, rest, rng.within(7, 9) as usize));
    steps.extend([Action::Hear { from: rest, to: new }; 2]);
    steps.extend(vec![Action::Hear { from: new, to: rest }; rng.within(2, 4) as usize]);
    steps.extend([Action::Hear { from: rest, to: new }; 6]);
    steps.extend([new, rest].map(|pod| Action::PushTo { pod }));
    steps.extend([Action::Meet { a: new, b: rest }; 2]);
    steps
}
