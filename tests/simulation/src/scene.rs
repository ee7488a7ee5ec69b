//! Schedules that were built by hand: chance alone meets them once in tens of thousands of seeds.
//!
//! Roles are given to pods by lot, and now and then a step is left out.

mod exile;
mod hearsay;
mod joiner;

use crate::profile::Profile;
use crate::rng::Rng;
use crate::schedule::{Acks, Action, If, Planned, Write, WriteKind};

/// How often in a thousand a step is left out.
const FORGOTTEN: u64 = 20;

/// The longest pause between two steps, in milliseconds.
const PAUSE: u64 = 3;

/// Messages of a transfer that are delivered one by one.
const STEPS: usize = 16;

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// One holds a write of a lost member along with one of another lost member; the others lack it.
    Estate,
    /// One holds a version above its clock over one that everybody has acknowledged, when the writers of both are lost.
    Orphan,
    /// Keys are deleted while a member joins that was not sent them yet.
    Newcomer,
    /// The source of a member that joins is lost with another one, of whom it had told nobody else.
    LastWord,
    /// Two leave at once.
    Couple,
    /// Who holds what a retired member wrote meets who was let start without it.
    Strangers,
    /// The same, and the holder leaves.
    Heir,
    /// Two who hold the same, and nobody else, are removed and come back.
    Returners,
    /// Two who hold different sums of a counter are removed and come back in turn, and others add to it meanwhile.
    Turns,
    /// One holds a part of what was lost with its writer and with whom it had it from, and the others never hear of it.
    Unsaid,
    /// Two add at once to a counter to which a retired member has added.
    Bequest,
    /// The group's object is made anew by an operator that does not know of the newest member yet.
    Hearsay,
    /// Who had answered a leaver has handed off and ended when the leaver's hook is called, and its heir is lost.
    OldAnswer,
    /// The same of an acknowledgement that was on its way when the leaver began to leave.
    OldAck,
    /// The same of an answer to the leaver's hook, when the leaver is stopped.
    OldHook,
}

/// Some of them.
pub(crate) const SCENES: [Scene; 12] = [
    Scene::Estate,
    Scene::Orphan,
    Scene::Newcomer,
    Scene::LastWord,
    Scene::Couple,
    Scene::Strangers,
    Scene::Heir,
    Scene::Returners,
    Scene::Turns,
    Scene::Unsaid,
    Scene::Bequest,
    Scene::Hearsay,
];

/// Those of a leaver that goes by old words.
pub(crate) const OLD_WORDS: [Scene; 3] = [Scene::OldAnswer, Scene::OldAck, Scene::OldHook];

// === impl Scene ===

impl Scene {
    /// Pods at the beginning.
    pub(crate) const fn pods(self) -> u64 {
        match self {
            Self::Estate => 5,
            Self::Orphan => 4,
            Self::LastWord | Self::OldAnswer | Self::OldAck | Self::OldHook => 3,
            Self::Returners | Self::Turns | Self::Unsaid | Self::Bequest => 3,
            Self::Newcomer | Self::Couple | Self::Strangers | Self::Heir | Self::Hearsay => 2,
        }
    }

    /// The whole schedule.
    pub(crate) fn plan(self, rng: &mut Rng, profile: &Profile) -> Vec<Planned> {
        let mut pods: Vec<u32> = (1..=self.pods() as u32).collect();
        for at in (1..pods.len()).rev() {
            pods.swap(at, rng.below(at as u64 + 1) as usize);
        }
        let new = pods.len() as u32 + 1;
        let steps = match (self, &pods[..]) {
            (Self::Estate, [origin, relay, holder, first, late]) => estate([*origin, *relay, *holder, *first, *late]),
            (Self::Orphan, [before, after, holder, other]) => orphan([*before, *after, *holder, *other]),
            (Self::Newcomer, [source, other]) => joiner::newcomer(*source, *other, new, profile.keys),
            (Self::LastWord, [origin, source, rest]) => joiner::last_word([*origin, *source, *rest], new),
            (Self::OldAnswer, [leaver, giver, heir]) => old_answer(*leaver, *giver, *heir),
            (Self::OldAck, [leaver, giver, heir]) => old_ack(*leaver, *giver, *heir),
            (Self::OldHook, [leaver, giver, heir]) => old_hook(*leaver, *giver, *heir),
            (Self::Couple, [one, other]) => couple(*one, *other),
            (Self::Returners, [stays, one, other]) => exile::returners(*stays, *one, *other),
            (Self::Turns, [stays, first, second]) => exile::turns(rng, *stays, *first, *second),
            (Self::Unsaid, [origin, source, rest]) => joiner::unsaid(rng, [*origin, *source, *rest], new),
            (Self::Bequest, [origin, one, other]) => bequest(*origin, *one, *other),
            (Self::Strangers, [origin, holder]) => strangers(*origin, *holder, new, profile.keys),
            (Self::Hearsay, [one, other]) => hearsay::hearsay(rng, *one, *other, new),
            (Self::Heir, [origin, holder]) => heir(*origin, *holder, new, profile.keys),
            _ => Vec::new(),
        };
        let mut at = 0;
        let kept = steps.into_iter().filter(|_| !rng.chance(FORGOTTEN)).collect::<Vec<_>>();
        let plan = kept.into_iter().map(|action| {
            at += rng.within(1, PAUSE);
            Planned { at, action }
        });
        plan.collect()
    }
}

fn estate([origin, relay, holder, first, late]: [u32; 5]) -> Vec<Action> {
    vec![
        Action::Part { a: relay, b: holder },
        put(relay, 0),
        Action::Meet { a: relay, b: origin },
        Action::Meet { a: relay, b: first },
        Action::Meet { a: relay, b: late },
        put(origin, 0),
        Action::Meet { a: origin, b: relay },
        Action::Unite { a: relay, b: holder },
        Action::Meet { a: relay, b: holder },
        Action::LosePod { pod: origin },
        Action::LosePod { pod: relay },
        Action::Meet { a: holder, b: first },
        Action::Meet { a: first, b: late },
        Action::Meet { a: first, b: late },
        Action::Meet { a: first, b: late },
    ]
}

fn orphan([before, after, holder, other]: [u32; 4]) -> Vec<Action> {
    vec![
        Action::Part { a: before, b: holder },
        put(before, 0),
        Action::Meet { a: before, b: after },
        Action::Meet { a: before, b: other },
        put(after, 0),
        Action::Meet { a: after, b: before },
        Action::Unite { a: before, b: holder },
        Action::Meet { a: before, b: holder },
        Action::Meet { a: other, b: holder },
        Action::LosePod { pod: before },
        Action::LosePod { pod: after },
        Action::Meet { a: other, b: holder },
    ]
}

fn bequest(origin: u32, one: u32, other: u32) -> Vec<Action> {
    let all = [(origin, one), (origin, other), (one, other)].map(|(a, b)| Action::Meet { a, b });
    let mut steps = vec![write(origin, 0, WriteKind::Increment(5))];
    steps.extend(all);
    steps.push(Action::LosePod { pod: origin });
    steps.extend([Action::PushTo { pod: one }, Action::PushTo { pod: other }, Action::Meet { a: one, b: other }]);
    steps.extend([Action::Meet { a: one, b: other }; 4]);
    steps.extend([one, other].map(|pod| write(pod, 0, WriteKind::Increment(1))));
    steps.extend([Action::Meet { a: one, b: other }; 2]);
    steps
}

fn couple(one: u32, other: u32) -> Vec<Action> {
    let mut steps = vec![put(one, 0), put(other, 1), Action::Meet { a: one, b: other }];
    // The second one to be deleted is the first of those that are not.
    steps.extend([Action::Terminate { at: 0, app_millis: 1_000, hook_millis: 0 }; 2]);
    steps.extend([Action::Meet { a: one, b: other }; 2]);
    steps.extend([Action::StopApp { at: 0 }; 2]);
    steps.extend([Action::Meet { a: one, b: other }; 2]);
    steps
}

fn strangers(origin: u32, holder: u32, new: u32, keys: u64) -> Vec<Action> {
    let mut steps = founded_apart(origin, holder, new, keys);
    steps.push(put(new, 0));
    steps.extend([Action::Meet { a: holder, b: new }; 4]);
    steps
}

fn heir(origin: u32, holder: u32, new: u32, keys: u64) -> Vec<Action> {
    let mut steps = founded_apart(origin, holder, new, keys);
    steps.push(Action::TerminatePod { pod: holder, app_millis: 0, hook_millis: 0 });
    for _ in 0..STEPS {
        steps.extend([Action::Hear { from: holder, to: new }, Action::Hear { from: new, to: holder }]);
    }
    steps
}

/// A member has written all there is, and is retired; the other goes out of sight until a new one has started empty.
fn founded_apart(origin: u32, holder: u32, new: u32, keys: u64) -> Vec<Action> {
    let mut steps: Vec<Action> = (0..keys).map(|key| put(origin, key)).collect();
    steps.extend([Action::Meet { a: origin, b: holder }; 2]);
    steps.push(Action::LosePod { pod: origin });
    // Time goes by.
    steps.extend([Action::PushTo { pod: holder }; 4]);
    steps.push(Action::Eclipse { millis: 12, patience: 4, together: false });
    steps.extend([Action::PushTo { pod: new }; STEPS]);
    steps
}

/// It hears from the operator that it leaves, long before its hook is called.
fn old_answer(leaver: u32, giver: u32, heir: u32) -> Vec<Action> {
    old_word([leaver, giver, heir], 10_000, Action::Hook { at: 0 })
}

/// Its hook is called at once; it is stopped later.
fn old_hook(leaver: u32, giver: u32, heir: u32) -> Vec<Action> {
    old_word([leaver, giver, heir], 0, Action::StopApp { at: 0 })
}

/// What a leaver was answered is old when it comes to the last step: who answered has handed off to one that is lost.
fn old_word([leaver, giver, heir]: [u32; 3], hook_millis: u64, last: Action) -> Vec<Action> {
    let mut steps = vec![
        Action::Part { a: leaver, b: heir },
        put(leaver, 0),
        Action::Meet { a: leaver, b: giver },
        Action::TerminatePod { pod: leaver, app_millis: 10_000, hook_millis },
        Action::PushTo { pod: leaver },
        Action::Meet { a: leaver, b: giver },
        Action::Meet { a: leaver, b: giver },
    ];
    steps.extend(handed_on(giver, heir));
    steps.push(last);
    steps
}

fn old_ack(leaver: u32, giver: u32, heir: u32) -> Vec<Action> {
    let mut steps = vec![Action::Part { a: leaver, b: heir }, put(leaver, 0), Action::Hear { from: leaver, to: giver }];
    steps.extend(handed_on(giver, heir));
    steps.push(Action::TerminatePod { pod: leaver, app_millis: 10_000, hook_millis: 0 });
    // What was on its way arrives late, or not at all.
    steps.extend([Action::PushTo { pod: heir }; 2 * STEPS]);
    steps
}

/// One hands off to another, who is lost.
fn handed_on(giver: u32, heir: u32) -> Vec<Action> {
    let mut steps =
        vec![Action::Meet { a: giver, b: heir }, Action::TerminatePod { pod: giver, app_millis: 0, hook_millis: 0 }];
    steps.extend([Action::Meet { a: giver, b: heir }; 3]);
    steps.push(Action::LosePod { pod: heir });
    steps
}

fn put(pod: u32, key: u64) -> Action {
    write(pod, key, WriteKind::Put)
}

fn write(pod: u32, key: u64, kind: WriteKind) -> Action {
    Action::WriteAt { pod, write: Write { key, kind, acks: Acks::Count(0), condition: If::Always, bytes: 1 } }
}
