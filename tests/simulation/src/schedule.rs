//! The schedule of a run: actions at times, drawn before it begins. Numbers choose among what is there when it happens, so
//! that a run goes on as meaningfully when an action is left out.

use crate::profile::Profile;
use crate::rng::Rng;

/// One action at its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    pub(crate) at: u64,
    pub(crate) action: Action,
}

/// What clients, people, nodes and the network do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// An app writes.
    Write { at: u64, write: Write },
    /// A pair exchanges all it has to say.
    Exchange { at: u64 },
    /// So many messages are delivered in one direction.
    Deliver { at: u64, count: u64 },
    /// A link breaks.
    Cut { at: u64 },
    /// The same of two pods, by number.
    Meet { a: u32, b: u32 },
    /// A message is delivered from one pod to another.
    Hear { from: u32, to: u32 },
    /// Two pods, by number, cannot reach each other, and know it.
    Part { a: u32, b: u32 },
    /// They can again.
    Unite { a: u32, b: u32 },
    /// The app of a pod writes.
    WriteAt { pod: u32, write: Write },
    /// The newest list reaches a pod.
    PushTo { pod: u32 },
    /// This pod is deleted.
    TerminatePod { pod: u32, app_millis: u64, hook_millis: u64 },
    /// A node is lost with this pod.
    LosePod { pod: u32 },
    /// Two pods cannot reach each other, or only in one direction.
    Partition { a: u64, b: u64, millis: u64, one_way: bool },
    /// A pod reaches nobody.
    Isolate { at: u64, millis: u64 },
    /// A process stands still.
    Freeze { at: u64, millis: u64 },
    /// A process is killed, and starts again in its pod.
    Crash { at: u64, millis: u64 },
    /// A node is lost with its pod.
    Lose { at: u64 },
    /// Nobody reaches a process, which is removed after a while, and comes back later.
    Exile { at: u64, removed: u64, back: u64, frozen: bool },
    /// Nobody reaches the process of this pod, which is removed after a while, and comes back later.
    ExilePod { pod: u32, removed: u64, back: u64 },
    /// Nobody reaches those who hold the state; after some patience, somebody may start without.
    Eclipse { millis: u64, patience: u64, together: bool },
    /// A pod starts beyond those that are wanted.
    Start,
    /// A pod is deleted.
    Terminate { at: u64, app_millis: u64, hook_millis: u64 },
    /// Somebody calls the hook of a process that leaves.
    Hook { at: u64 },
    /// The app of a terminating pod exits.
    StopApp { at: u64 },
    /// So many pods are wanted.
    Scale { pods: u64 },
    /// All pods are replaced: all at once, or one by one.
    Roll { at_once: bool },
    /// A wall clock jumps.
    Clock { at: u64, off: i64 },
    /// All links of a process are slow, until those of another are: each message takes so much longer.
    Slow { at: u64, millis: u64 },
    /// The operator is away.
    LoseOperator { millis: u64 },
    /// The group's object is deleted and made anew, and the operator remembers its list or has to hear of it.
    MakeAnew { remembers: bool },
    /// The same, and the operator hears of the process in this pod alone for so long.
    MakeAnewBy { pod: u32, millis: u64 },
    /// A list reaches an agent: the newest, or one that is out of date.
    Push { at: u64, age: u64 },
    /// A message arrives broken, and the connection ends.
    Break { at: u64, way: u64 },
    /// The last message on a connection arrives once more.
    Repeat { at: u64 },
    /// A person ends what is held of one that leaves.
    Release { at: u64 },
    /// A range that is on its way loses an entry.
    Corrupt { at: u64 },
    /// A range is delivered again, perhaps to somebody else.
    Replay { at: u64, to: u64 },
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) key: u64,
    pub(crate) kind: WriteKind,
    pub(crate) acks: Acks,
    pub(crate) condition: If,
    pub(crate) bytes: u64,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteKind {
    Put,
    /// A put that every replica drops after so many milliseconds.
    Expiring(u64),
    Delete,
    Init,
    Take,
    Increment(i64),
    Touch(Option<u64>),
    Claim,
    Release,
    Confirm,
    /// Puts, deletes and increments of so many keys at once.
    Batch(u64),
    /// Anything of so many keys at once.
    Mixed(u64),
    /// A key is deleted, and all its fields.
    Clear,
}

/// What the client asks of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum If {
    Always,
    Absent,
    Present,
    /// It is what the client has just read.
    Unchanged,
    /// It is what some client has read before.
    ReadBefore,
    /// Nobody owns it.
    Unowned,
}

/// How many members must have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    Default,
    Count(u32),
    Majority,
    All,
}

/// Draws the details of one kind of action.
type Draw = fn(&mut Rng, &Profile) -> Action;

/// The whole schedule of a seed.
pub(crate) fn draw(rng: &mut Rng, profile: &Profile) -> Vec<Planned> {
    if let Some(scene) = profile.scene {
        return scene.plan(rng, profile);
    }
    let mut at = 0;
    (0..profile.actions)
        .map(|_| {
            at += rng.within(1, profile.gap);
            Planned { at, action: action(rng, profile) }
        })
        .collect()
}

fn action(rng: &mut Rng, profile: &Profile) -> Action {
    let weights = profile.weights;
    // Nothing but these: writing is what all others are about.
    let choices: [(u64, Draw); 33] = [
        (weights.put, |rng, profile| write(rng, profile, WriteKind::Put)),
        (weights.delete, |rng, profile| write(rng, profile, WriteKind::Delete)),
        (weights.count, |rng, profile| {
            let by = rng.within(1, 9) as i64 - 3;
            write(rng, profile, WriteKind::Increment(by))
        }),
        (weights.expire, expiring),
        (weights.own, |rng, profile| {
            let kind = rng.pick(&[WriteKind::Claim, WriteKind::Claim, WriteKind::Release, WriteKind::Confirm]);
            write(rng, profile, kind)
        }),
        (weights.odd, |rng, profile| {
            let kind = rng.pick(&[WriteKind::Init, WriteKind::Init, WriteKind::Take]);
            write(rng, profile, kind)
        }),
        (weights.batch, |rng, profile| {
            let most = rng.within(2, profile.batch);
            write(rng, profile, if profile.mixed { WriteKind::Mixed(most) } else { WriteKind::Batch(most) })
        }),
        (weights.exchange, |rng, _| Action::Exchange { at: rng.next() }),
        (weights.deliver, |rng, _| Action::Deliver { at: rng.next(), count: rng.within(1, 3) }),
        (weights.cut, |rng, _| Action::Cut { at: rng.next() }),
        (weights.partition, partition),
        (weights.freeze, |rng, _| Action::Freeze { at: rng.next(), millis: rng.pick(&[20, 300, 8_000]) }),
        (weights.crash, |rng, _| Action::Crash { at: rng.next(), millis: rng.pick(&[0, 5, 300]) }),
        (weights.lose, |rng, _| Action::Lose { at: rng.next() }),
        (weights.start, |_, _| Action::Start),
        (weights.terminate, terminate),
        (weights.hook, |rng, _| Action::Hook { at: rng.next() }),
        (weights.stop, |rng, _| Action::StopApp { at: rng.next() }),
        (weights.scale, |rng, _| Action::Scale { pods: rng.pick(&[1, 1, 2, 3, 4]) }),
        (weights.roll, |rng, _| Action::Roll { at_once: rng.chance(500) }),
        (weights.clock, |rng, profile| {
            let at = rng.next();
            Action::Clock { at, off: profile.off(rng.below(20_000_000)) }
        }),
        (weights.operator, |rng, _| Action::LoseOperator { millis: rng.pick(&[50, 1_000, 20_000]) }),
        (weights.anew, |rng, _| Action::MakeAnew { remembers: rng.chance(500) }),
        (weights.push, |rng, _| Action::Push { at: rng.next(), age: rng.pick(&[0, 0, 0, 1, 3]) }),
        (weights.garbage, |rng, _| Action::Break { at: rng.next(), way: rng.next() }),
        (weights.corrupt, |rng, _| Action::Corrupt { at: rng.next() }),
        (weights.exile, exile),
        (weights.eclipse, eclipse),
        (weights.replay, |rng, _| Action::Replay { at: rng.next(), to: rng.next() }),
        (weights.repeat, |rng, _| Action::Repeat { at: rng.next() }),
        (weights.release, |rng, _| Action::Release { at: rng.next() }),
        (weights.slow, |rng, profile| {
            let at = rng.next();
            Action::Slow { at, millis: rng.pick(&[4, 20]) * profile.gap }
        }),
        (weights.clear, |rng, profile| write(rng, profile, WriteKind::Clear)),
    ];
    let mut at = rng.below(choices.iter().map(|(weight, _)| weight).sum());
    for (weight, make) in choices {
        if at < weight {
            return make(rng, profile);
        }
        at -= weight;
    }
    write(rng, profile, WriteKind::Put)
}

fn write(rng: &mut Rng, profile: &Profile, kind: WriteKind) -> Action {
    let acks = rng.pick(&[Acks::Default, Acks::Default, Acks::Count(0), Acks::Count(1), Acks::Majority, Acks::All]);
    let condition = match kind {
        WriteKind::Claim => rng.pick(&[If::Always, If::Always, If::Unowned, If::ReadBefore]),
        _ => rng.pick(&[
            If::Always,
            If::Always,
            If::Always,
            If::Always,
            If::Absent,
            If::Present,
            If::Unchanged,
            If::ReadBefore,
        ]),
    };
    let write = Write { key: rng.below(profile.keys), kind, acks, condition, bytes: rng.below(profile.value) };
    Action::Write { at: rng.next(), write }
}

fn expiring(rng: &mut Rng, profile: &Profile) -> Action {
    let millis = rng.pick(&[1, 20, 300, 3_000]);
    let touch = [WriteKind::Touch(Some(millis)), WriteKind::Touch(None)];
    let kind = if rng.chance(600) { WriteKind::Expiring(millis) } else { rng.pick(&touch) };
    write(rng, profile, kind)
}

fn partition(rng: &mut Rng, _: &Profile) -> Action {
    let millis = rng.pick(&[5, 50, 500, 10_000]);
    if rng.chance(300) {
        return Action::Isolate { at: rng.next(), millis };
    }
    Action::Partition { a: rng.next(), b: rng.next(), millis, one_way: rng.chance(400) }
}

fn exile(rng: &mut Rng, profile: &Profile) -> Action {
    let (steps, more) = (rng.pick(&[0, 2, 8]), rng.pick(&[1, 4, 16]));
    let (removed, back) = (steps * profile.gap, (steps + more) * profile.gap);
    Action::Exile { at: rng.next(), removed, back, frozen: rng.chance(300) }
}

fn eclipse(rng: &mut Rng, profile: &Profile) -> Action {
    let (steps, more) = (rng.pick(&[1, 4, 8]), rng.pick(&[1, 4, 16]));
    let (patience, millis) = (steps * profile.gap, (steps + more) * profile.gap);
    Action::Eclipse { millis, patience, together: rng.chance(500) }
}

fn terminate(rng: &mut Rng, profile: &Profile) -> Action {
    let app_millis = rng.below(profile.app_stop + 1);
    Action::Terminate { at: rng.next(), app_millis, hook_millis: rng.pick(&[0, 0, 5, 300, 1_600]) }
}
