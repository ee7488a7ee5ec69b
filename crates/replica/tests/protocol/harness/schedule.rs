//! Random schedules: plain data, generated with chances and shrunk by proptest, run one step at a time.

use std::fmt;

use baton_replica::{Limits, MemberPhase, Need, ReplicaId};
use proptest::prelude::*;

use super::world::{World, key};

/// Processes alive at once; more would only make meetings rarer.
const MOST_ALIVE: usize = 5;

/// Keys written; few, so that writes meet.
const KEYS: u8 = 4;

/// One step. Numbers choose among what is there.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put {
        at: u8,
        key: u8,
    },
    Delete {
        at: u8,
        key: u8,
    },
    Pump {
        at: u8,
        count: u8,
    },
    Deliver {
        at: u8,
    },
    Exchange {
        at: u8,
    },
    Flush {
        at: u8,
    },
    Connect {
        a: u8,
        b: u8,
    },
    Cut {
        at: u8,
        noticed: bool,
    },
    Notice {
        at: u8,
    },
    Push {
        at: u8,
    },
    Spawn,
    Crash {
        at: u8,
    },
    Bury,
    Leave {
        at: u8,
        silent: bool,
    },
    Terminate {
        at: u8,
    },
    Seal {
        at: u8,
    },
    Exit {
        at: u8,
    },
    /// Leaves, seals and ends at once, if it believes that it may.
    Depart {
        at: u8,
    },
    Replay {
        at: u8,
        to: u8,
    },
    Tick {
        seconds: u8,
    },
}

/// A whole run.
#[derive(Clone)]
pub(crate) struct Schedule {
    pub(crate) nodes: u8,
    pub(crate) limits: Vec<Limits>,
    pub(crate) need: Need,
    pub(crate) steps: Vec<Step>,
}

/// How likely the kinds of steps are, against each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chances {
    pub(crate) put: u32,
    pub(crate) delete: u32,
    pub(crate) cut: u32,
    pub(crate) spawn: u32,
    pub(crate) crash: u32,
    pub(crate) leave: u32,
    pub(crate) replay: u32,
}

// === impl Chances ===

impl Chances {
    /// A bit of everything.
    pub(crate) const EVERYTHING: Self = Self { put: 14, delete: 6, cut: 3, spawn: 2, crash: 1, leave: 2, replay: 3 };
}

// === impl Schedule ===

impl fmt::Debug for Schedule {
    /// One line a step, also where proptest asks for more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, limits, need, steps } = self;
        f.write_str(&format!("{nodes} nodes, {limits:?}, {need:?}"))?;
        steps.iter().try_for_each(|step| f.write_str(&format!("\n  {step:?}")))
    }
}

impl Schedule {
    /// Nobody crashes after the first who does.
    pub(crate) fn keep_first_crash(&mut self) {
        let mut crashes = 0;
        self.steps.retain(|step| {
            crashes += u32::from(matches!(step, Step::Crash { .. }));
            crashes <= 1 || !matches!(step, Step::Crash { .. })
        });
    }
}

/// Schedules of up to so many steps.
pub(crate) fn schedules(chances: Chances, steps: usize) -> impl Strategy<Value = Schedule> {
    let limits = (
        prop_oneof![Just(2_usize), 3..8_usize, Just(64)],
        prop_oneof![3 => Just(1_usize), 1 => Just(200), 1 => Just(65_536)],
    );
    let limits = limits.prop_map(|(max_slots, batch_bytes)| Limits { max_slots, batch_bytes, ..Limits::default() });
    let need = (1..=2_u32, 0..=2_u32).prop_map(|(acks, level)| Need { acks, level });
    let whole = (1..=4_u8, prop::collection::vec(limits, 1..3), need, prop::collection::vec(step(chances), 20..steps));
    whole.prop_map(|(nodes, limits, need, steps)| Schedule { nodes, limits, need, steps })
}

fn step(chances: Chances) -> impl Strategy<Value = Step> {
    let Chances { put, delete, cut, spawn, crash, leave, replay } = chances;
    let some = any::<u8>;
    let writes = prop_oneof![
        put => (some(), 0..KEYS).prop_map(|(at, key)| Step::Put { at, key }),
        delete => (some(), 0..KEYS).prop_map(|(at, key)| Step::Delete { at, key }),
    ];
    let talk = prop_oneof![
        6 => (some(), 1..4_u8).prop_map(|(at, count)| Step::Pump { at, count }),
        6 => some().prop_map(|at| Step::Deliver { at }),
        4 => some().prop_map(|at| Step::Exchange { at }),
        2 => some().prop_map(|at| Step::Flush { at }),
        2 => some().prop_map(|at| Step::Push { at }),
    ];
    let links = prop_oneof![
        5 => (some(), some()).prop_map(|(a, b)| Step::Connect { a, b }),
        cut => (some(), any::<bool>()).prop_map(|(at, noticed)| Step::Cut { at, noticed }),
        2 => some().prop_map(|at| Step::Notice { at }),
        replay => (some(), some()).prop_map(|(at, to)| Step::Replay { at, to }),
    ];
    let members = prop_oneof![
        spawn => Just(Step::Spawn),
        crash => some().prop_map(|at| Step::Crash { at }),
        leave => (some(), any::<bool>()).prop_map(|(at, silent)| Step::Leave { at, silent }),
        leave.div_ceil(2) => some().prop_map(|at| Step::Terminate { at }),
        leave => some().prop_map(|at| Step::Seal { at }),
        leave * 2 => some().prop_map(|at| Step::Exit { at }),
        leave => some().prop_map(|at| Step::Depart { at }),
        1 => Just(Step::Bury),
    ];
    let (written, moved) = (put + delete, spawn + crash + leave * 5 + 1);
    // What a step shrinks to comes first.
    let tick = (0..3_u8).prop_map(|seconds| Step::Tick { seconds });
    prop_oneof![1 => tick, written => writes, 40 => talk, 9 + cut + replay => links, moved => members]
}

/// Runs a schedule and calls the check after each step for each process that did something, and once at the end.
pub(crate) fn run(schedule: &Schedule, mut check: impl FnMut(&World, ReplicaId)) -> World {
    let (mut world, _) = World::new(schedule.limits.clone());
    for _ in 1..schedule.nodes {
        world.spawn();
    }
    world.settle();
    world.need = schedule.need;
    for step in &schedule.steps {
        world.touched.clear();
        world.step(step);
        for replica in world.touched.clone() {
            check(&world, replica);
        }
    }
    world
}

// === impl World ===

impl World {
    pub(super) fn step(&mut self, step: &Step) {
        match *step {
            Step::Put { at, key } => drop(self.put(self.pick(at), &named(key))),
            Step::Delete { at, key } => drop(self.delete(self.pick(at), &named(key))),
            Step::Pump { at, count } => {
                let woken = self.nodes.iter().flat_map(|(from, node)| node.woken.iter().map(move |to| (*from, *to)));
                if let Some((from, to)) = choose(&woken.collect::<Vec<_>>(), at) {
                    self.pump(from, to, count.into());
                }
            }
            Step::Deliver { at } => {
                if let Some((from, to)) = choose(&self.network.busy(), at) {
                    self.deliver(from, to);
                }
            }
            Step::Exchange { at } => {
                if let Some((a, b)) = choose(&self.network.pairs(), at) {
                    self.exchange(a, b);
                }
            }
            Step::Flush { at } => self.node(self.pick(at)).flush(),
            Step::Connect { a, b } => {
                let (a, b) = (self.pick(a), self.pick(b));
                if a != b {
                    self.connect(a, b);
                }
            }
            Step::Cut { at, noticed } => {
                if let Some((a, b)) = choose(&self.network.pairs(), at) {
                    self.cut(a, b);
                    if noticed {
                        self.notice(a);
                    }
                }
            }
            Step::Notice { at } => self.notice(self.pick(at)),
            Step::Push { at } => self.push(self.pick(at)),
            Step::Spawn if self.nodes.len() < MOST_ALIVE => drop(self.spawn()),
            Step::Spawn => {}
            Step::Crash { at } => {
                let replica = self.pick(at);
                if self.can_spare(replica) {
                    self.crash(replica);
                }
            }
            Step::Bury => drop(self.operator.bury()),
            Step::Leave { at, silent: true } => self.leave_silently(self.pick(at)),
            Step::Leave { at, silent: false } => self.leave(self.pick(at)),
            Step::Terminate { at } => self.terminate(self.pick(at)),
            Step::Seal { at } => self.for_a_leaver(at, Self::seal),
            Step::Exit { at } => self.for_a_leaver(at, Self::exit_if_spared),
            Step::Depart { at } => {
                let replica = self.pick(at);
                self.leave_silently(replica);
                self.seal(replica);
                self.exit_if_spared(replica);
            }
            Step::Replay { at, to } => self.replay(at.into(), Some(self.pick(to))),
            Step::Tick { seconds } => self.now += u64::from(seconds) * 1_000,
        }
    }

    fn exit_if_spared(&mut self, replica: ReplicaId) {
        if self.can_spare(replica) {
            self.exit(replica);
        }
    }

    pub(super) fn pick(&self, at: u8) -> ReplicaId {
        choose(&self.ids(), at).expect("somebody is always alive")
    }

    fn for_a_leaver(&mut self, at: u8, act: impl FnOnce(&mut Self, ReplicaId)) {
        let leavers = self.nodes.iter().filter(|(_, node)| node.phase == MemberPhase::Leaving).map(|(id, _)| *id);
        if let Some(leaver) = choose(&leavers.collect::<Vec<_>>(), at) {
            act(self, leaver);
        }
    }
}

pub(super) fn named(key_number: u8) -> baton_replica::Key {
    key(&format!("k{key_number}"))
}

fn choose<T: Copy>(among: &[T], at: u8) -> Option<T> {
    among.get(usize::from(at) % among.len().max(1)).copied()
}
