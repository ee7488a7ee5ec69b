//! The group's object is made anew, and the operator has to hear who is there.

use super::put;
use crate::rng::Rng;
use crate::schedule::Action;

/// One has a new member's writes, the other has not heard that there is one, and the operator hears of the other first.
pub(super) fn hearsay(rng: &mut Rng, one: u32, other: u32, new: u32) -> Vec<Action> {
    let mut steps =
        vec![put(one, 0), Action::Meet { a: one, b: other }, Action::Part { a: one, b: other }, Action::Start];
    steps.extend([Action::PushTo { pod: new }; 4]);
    steps.push(Action::PushTo { pod: one });
    steps.extend([Action::Meet { a: one, b: new }; 3]);
    steps.extend([Action::PushTo { pod: new }, Action::PushTo { pod: one }]);
    steps.extend([put(new, 0), put(new, 1), Action::Meet { a: one, b: new }, Action::Meet { a: one, b: new }]);
    steps.push(Action::MakeAnewBy { pod: other, millis: rng.pick(&[2, 20, 100]) });
    steps.extend([Action::PushTo { pod: one }, put(new, 1), Action::Meet { a: one, b: new }]);
    // The operator has heard of all when the two meet again: the other lists whom it hears of.
    steps.extend([one, one, other, other, other].map(|pod| Action::PushTo { pod }));
    steps.push(Action::Unite { a: one, b: other });
    steps.extend([(one, other), (one, new), (one, other)].map(|(a, b)| Action::Meet { a, b }));
    steps
}
