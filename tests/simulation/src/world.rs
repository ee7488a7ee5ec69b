//! The whole group in virtual time: processes, pods, connections, the operator, and the truth.

mod action;
mod anew;
mod app;
mod chore;
mod client;
mod corruption;
mod eclipse;
mod ending;
mod exchange;
mod exile;
mod kubelet;
mod operation;
mod role;
mod source;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use baton_replica::{ChunkItem, Key, Limits, MapName, Membership, Packed, Range, ReplicaId, Shard, ShardMessage, Tag};

use crate::agent::{Agent, Wish};
use crate::invariant::{self, Invariant, Violation};
use crate::network::Network;
use crate::operator::{News, Operator};
use crate::oracle::{Adopted, Oracle};
use crate::pod::Pod;
use crate::profile::{MAP, Profile};
use crate::queue::Queue;
use crate::rng::Rng;
use crate::schedule::{Planned, Write};
use crate::trace::Trace;

/// Unix milliseconds when virtual time begins.
const EPOCH: u64 = 1_700_000_000_000;

/// How long the group has to come up before the schedule begins.
const WARM_UP: u64 = 2_000;

/// Events after which a small group has nothing more to say about one action, or about one replica that is retired: each
/// begins a new round about all others who are gone, in every shard and between every two.
const TALKATIVE: u64 = 20_000;

/// Of a thousand times that word of what was applied goes round, those with a digest.
const HEARTBEATS: u64 = 100;

/// The longest that a departure goes without looking at its progress, as in the agent.
const LOOK: u64 = 100;

/// What happens at a time.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The schedule's action of this number.
    Act(usize),
    /// The next message to this end of a connection arrives.
    Deliver {
        wire: usize,
        to: ReplicaId,
    },
    /// An end of a connection notices that it is broken.
    Notice {
        wire: usize,
        at: ReplicaId,
    },
    /// Nothing has arrived for long, if the direction is still blocked.
    Silence {
        wire: usize,
        to: ReplicaId,
    },
    /// One process dials another, if they are not connected.
    Dial {
        from: ReplicaId,
        to: ReplicaId,
    },
    /// The departure looks at its progress and its deadlines.
    Look(ReplicaId),
    /// Peers that did not send it hear what was applied.
    Settle(ReplicaId),
    /// Clients have waited long enough.
    AckTimeout(ReplicaId),
    /// A client tries again elsewhere.
    Retry(u64, Write),
    /// Something reaches the operator.
    News(News),
    /// A list reaches an agent: this one, or the newest.
    Push {
        to: ReplicaId,
        list: Option<Rc<Membership>>,
    },
    /// Somebody calls the hook before the kubelet does.
    EarlyHook(ReplicaId),
    /// The kubelet calls the hook, sees the app exit, stops the agent, and loses patience.
    Hook(u32),
    StopApp(u32),
    Stop(u32),
    Kill(u32),
    /// The agent's container starts.
    StartProcess(u32),
    /// The controllers look at how many pods there are.
    Reconcile,
    RollStep,
    Thaw(ReplicaId),
    /// The operator has waited long enough for a process.
    Lost(ReplicaId),
    /// The operator reaches a process again.
    Found(ReplicaId),
    /// The operator hears of a process after the object was made anew.
    Heard(ReplicaId),
    /// Whoever holds the state has been out of the operator's sight for long.
    LongSilence,
    /// A process issues again what it held under a former id.
    Reissue(ReplicaId),
    /// A process takes over what departed members owned.
    Adopt(ReplicaId),
    /// An app says that it runs what it was told of.
    Confirm(Adopted),
    Heal(ReplicaId, ReplicaId),
    OperatorBack,
}

/// What has become of entries that were lost on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Corruption {
    /// There were none.
    None,
    /// Somebody lacks what it has seen.
    Present,
    /// Everybody had time to compare what it holds with all others.
    Repaired,
}

/// A group under test.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) profile: Profile,
    pub(crate) now: u64,
    pub(crate) agents: BTreeMap<ReplicaId, Agent>,
    pub(crate) pods: BTreeMap<u32, Pod>,
    pub(crate) network: Network,
    pub(crate) operator: Operator,
    pub(crate) oracle: Oracle,
    pub(crate) trace: Trace,
    /// Whether no more faults happen.
    pub(crate) calm: bool,
    /// Since when, at the end of the run.
    pub(crate) over: Option<u64>,
    /// What apps do not say while there are faults.
    unsaid: Vec<Adopted>,
    rng: Rng,
    queue: Queue<Event>,
    events: u64,
    plan: Vec<Planned>,
    keys: Vec<Key>,
    /// Processes that the operator does not reach.
    out_of_sight: BTreeSet<ReplicaId>,
    /// Several come back to a group that started anew, who may hold the same of who was retired before.
    counts_twice: bool,
    /// Until when those are out of everybody's sight who held the state.
    eclipse: u64,
    wanted: usize,
    revision: u64,
    rolling: bool,
    started: u32,
    acted: usize,
    last_news: u64,
    /// How many events there had been at the last action, or when a replica was last retired for the first time.
    quiet_at: u64,
    dialling: BTreeSet<(ReplicaId, ReplicaId)>,
    /// How often the second refused the first in a row.
    refused: BTreeMap<(ReplicaId, ReplicaId), u32>,
    /// Connections that flow until the next action.
    flowing: Vec<usize>,
    /// Whose links are slow, and by how much.
    slow: Option<(ReplicaId, u64)>,
    /// Ranges that were delivered, to be delivered again: from, to, shard.
    delivered: VecDeque<(ReplicaId, ReplicaId, usize, Range)>,
    /// Messages of all kinds that were delivered, to be delivered again, broken.
    heard: VecDeque<(ReplicaId, ReplicaId, usize, ShardMessage)>,
    /// What each has read of some keys, now and then.
    tags: BTreeMap<Key, Tag>,
    history: invariant::resurrection::History,
    past: invariant::transfer::Past,
    /// Whether entries were lost on their way, and not found again yet, or found.
    pub(crate) corruption: Corruption,
}

// === impl World ===

impl World {
    pub(crate) fn new(seed: u64, profile: Profile, plan: Vec<Planned>, trace: Trace) -> Self {
        let map = MapName::parse(MAP).expect("a valid name");
        let (alike, long) = (profile.alike, "k".repeat(1 + profile.alike));
        let key = |name: u64| Key::new(&map, format!("{long}{name}").as_bytes()).expect("a valid key");
        // Keys and fields in turn, so that they meet in chunks; or long fields of one long key.
        let field = |name: u64| match alike {
            0 => key(name / 2).with_field(b"f"),
            _ => key(0).with_field(format!("{long}{name}").as_bytes()),
        };
        let any = |name: u64| match (alike, name % 2) {
            (0, 0) => key(name / 2),
            _ => field(name).expect("a valid field"),
        };
        let keys = (0..profile.keys).map(any).collect();
        let (wanted, settings) = (profile.pods as usize, profile.settings.clone());
        let mut world = Self {
            profile,
            now: 0,
            agents: BTreeMap::new(),
            pods: BTreeMap::new(),
            network: Network::default(),
            operator: Operator::new(settings),
            oracle: Oracle::default(),
            trace,
            calm: true,
            over: None,
            unsaid: Vec::new(),
            rng: Rng::fork(seed, 3),
            queue: Queue::new(),
            events: 0,
            plan,
            keys,
            out_of_sight: BTreeSet::new(),
            counts_twice: false,
            eclipse: 0,
            wanted,
            revision: 1,
            rolling: false,
            started: 0,
            acted: 0,
            last_news: 0,
            quiet_at: 0,
            dialling: BTreeSet::new(),
            refused: BTreeMap::new(),
            flowing: Vec::new(),
            slow: None,
            delivered: VecDeque::new(),
            heard: VecDeque::new(),
            tags: BTreeMap::new(),
            history: invariant::resurrection::History::default(),
            past: invariant::transfer::Past::default(),
            corruption: Corruption::None,
        };
        let warm = if world.rng.chance(800) || world.profile.scene.is_some() { WARM_UP } else { 0 };
        world.add(0, Event::Reconcile);
        for at in 0..world.plan.len() {
            let time = world.plan[at].at + warm;
            world.add(time, Event::Act(at));
        }
        world.calm = warm > 0;
        world
    }

    /// The phase with faults, then the one without.
    pub(crate) fn run(&mut self) -> Result<(), Violation> {
        let last = self.plan.len();
        while self.acted < last {
            let Some((now, event)) = self.queue.pop() else { break };
            self.now = now;
            if let Event::Act(number) = event {
                self.acted = number + 1;
                self.quiet_at = self.events;
                self.calm = false;
                self.act(number)?;
                if number % self.profile.check_every == 0 {
                    self.check()?;
                }
            } else {
                self.happen(event)?;
            }
            if self.events > self.quiet_at + TALKATIVE {
                return Invariant::Liveness.of(Err("the group talks for ever".to_owned()));
            }
        }
        self.check()?;
        Invariant::Join.of(invariant::join::check(self))?;
        self.end()
    }

    /// Everything that must hold at any time.
    fn check(&mut self) -> Result<(), Violation> {
        self.mix_state();
        Invariant::Convergence.of(invariant::convergence::check(self))?;
        Invariant::Reading.of(invariant::reading::check(self))?;
        Invariant::Subscription.of(invariant::subscription::check(self))?;
        Invariant::Bound.of(invariant::bound::check(self))?;
        if !self.counts_twice {
            Invariant::Counter.of(invariant::counter::check(self))?;
        }
        let mut past = std::mem::take(&mut self.past);
        past.look(self);
        self.past = past;
        let mut history = std::mem::take(&mut self.history);
        let outcome = invariant::resurrection::check(self, &mut history);
        self.history = history;
        Invariant::Resurrection.of(outcome)
    }

    /// What a process was given.
    pub(crate) fn limits_of(&self, id: ReplicaId) -> Limits {
        self.profile.limits[id.bits() as usize % self.profile.limits.len()]
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    fn add(&mut self, after: u64, event: Event) {
        self.queue.add(self.now + after, event);
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        self.events += 1;
        if let Some(frozen) = self.subject(&event).and_then(|id| self.agents.get_mut(&id)?.frozen.as_mut()) {
            frozen.push(event);
            return Ok(());
        }
        self.mix(&event);
        match event {
            Event::Act(_) => {}
            Event::Deliver { wire, to } => self.deliver(wire, to)?,
            Event::Notice { wire, at } => self.notice(wire, at)?,
            Event::Silence { wire, to } => self.silence(wire, to)?,
            Event::Dial { from, to } => self.dial(from, to),
            Event::Look(id) => self.look(id)?,
            Event::Settle(id) => self.settle(id)?,
            Event::AckTimeout(id) => self.ack_timeout(id),
            Event::Retry(at, write) => self.write(at, write)?,
            Event::News(news) => self.news(news),
            Event::Push { to, list } => self.pushed(to, list)?,
            Event::EarlyHook(id) => self.early_hook(id)?,
            Event::Hook(pod) => self.hook(pod)?,
            Event::StopApp(pod) => self.stop_app(pod)?,
            Event::Stop(pod) => self.stop(pod)?,
            Event::Kill(pod) => self.kill(pod)?,
            Event::StartProcess(pod) => self.start_process(pod)?,
            Event::Reconcile => self.reconcile(),
            Event::RollStep => self.roll_step(),
            Event::Thaw(id) => self.thaw(id)?,
            Event::Lost(id) => self.lost(id),
            Event::Found(id) => self.found(id),
            Event::Heard(id) => self.say_known(id),
            Event::LongSilence => self.silence_lasts(),
            Event::Reissue(id) => self.reissue(id)?,
            Event::Adopt(id) => self.adopt_late(id)?,
            Event::Confirm(adopted) => self.confirm(adopted)?,
            Event::Heal(a, b) => self.heal(a, b),
            Event::OperatorBack => self.operator_back(),
        }
        Ok(())
    }

    /// The process to which something happens, which may stand still.
    fn subject(&self, event: &Event) -> Option<ReplicaId> {
        match event {
            Event::Deliver { to, .. } | Event::Push { to, .. } | Event::Silence { to, .. } => Some(*to),
            Event::Notice { at, .. } => Some(*at),
            Event::Dial { from, .. } => Some(*from),
            Event::Look(id) | Event::Settle(id) | Event::AckTimeout(id) => Some(*id),
            Event::EarlyHook(id) | Event::Reissue(id) | Event::Adopt(id) => Some(*id),
            Event::Confirm(adopted) => Some(adopted.by),
            Event::Hook(pod) | Event::Stop(pod) => self.pods.get(pod)?.agent,
            _ => None,
        }
    }

    /// Something happened at a process: its departure, its clients and its links follow.
    fn after(&mut self, mut id: ReplicaId) -> Result<(), Violation> {
        let events = self.events;
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.note_leaving(events);
        }
        while let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.stirred) {
            agent.stirred = false;
            let wishes = agent.depart(self.now);
            if wishes.contains(&Wish::BeginAgain) {
                id = self.begin_again(id);
                continue;
            }
            agent.note_leaving(self.events);
            if std::mem::take(&mut agent.founded) {
                self.founded(id);
            }
            self.answer_clients(id)?;
            for wish in wishes {
                match wish {
                    Wish::BeginAgain => {}
                    Wish::ReturnHook(outcome) => self.hook_returned(id, outcome)?,
                    Wish::Exit(outcome) => self.exited(id, outcome)?,
                    Wish::WriteAndSeal => self.write_and_seal(id)?,
                }
            }
        }
        self.chores(id)?;
        self.listen(id)?;
        self.report_settled(id)?;
        self.report_phase(id);
        self.plan_look(id);
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.tell_what_is_said_again();
        }
        self.flow(id);
        Ok(())
    }

    /// A process has started without state. Unless somebody else has some, the group's past is over.
    fn founded(&mut self, id: ReplicaId) {
        let alone = self.agents.values().all(|agent| agent.id == id || agent.shards.iter().all(Shard::is_joining));
        if alone {
            self.trace.say(self.now, || format!("{id} starts anew"));
            let several_away = self.away().len() > 1;
            self.counts_twice |= several_away;
            self.oracle.start_anew(id, several_away);
        }
    }

    fn look(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        if agent.look_at.is_some_and(|at| at <= self.now) {
            agent.look_at = None;
            agent.stirred = true;
        }
        self.after(id)
    }

    fn plan_look(&mut self, id: ReplicaId) {
        let now = self.now;
        let Some(agent) = self.agents.get_mut(&id) else { return };
        if !agent.life.leaving() {
            return;
        }
        let deadline = agent.life.next_deadline().map_or(u64::MAX, |deadline| deadline + agent.born);
        let at = deadline.min(now + LOOK).max(now + 1);
        if agent.look_at.is_none_or(|planned| at < planned) {
            agent.look_at = Some(at);
            self.queue.add(at, Event::Look(id));
        }
    }

    fn settle(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        agent.heard = false;
        for index in 0..agent.shards.len() {
            agent.with_shard(index, None, Shard::flush_acknowledgements);
            if self.rng.chance(HEARTBEATS) {
                agent.with_shard(index, None, Shard::offer_digest);
            }
        }
        self.after(id)
    }

    fn thaw(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let Some(waiting) = self.agents.get_mut(&id).and_then(|agent| agent.frozen.take()) else { return Ok(()) };
        for event in waiting {
            self.happen(event)?;
        }
        Ok(())
    }

    /// A process has ended.
    fn end_process(&mut self, id: ReplicaId, handed_off: bool) -> Option<Agent> {
        let agent = self.agents.remove(&id)?;
        self.out_of_sight.remove(&id);
        self.trace.say(self.now, || format!("{id} ends, handed off: {handed_off}"));
        let seen = (0..agent.shards.len()).map(|index| agent.seen(index)).collect();
        self.oracle.ended.push(crate::oracle::Ended { id, seen, handed_off, left: agent.left, at: self.events });
        if let Some(pod) = self.pods.get_mut(&agent.pod) {
            pod.agent = None;
        }
        for peer in agent.links.keys() {
            if let Some(wire) = self.network.between(id, *peer) {
                self.cut(wire);
            }
        }
        Some(agent)
    }

    /// The wall clock of a process.
    pub(crate) fn wall(&self, id: ReplicaId) -> u64 {
        (EPOCH + self.now).saturating_add_signed(self.agents.get(&id).map_or(0, |agent| agent.skew))
    }

    /// What every process holds: the same seed gives the same entries, not only the same steps.
    fn mix_state(&mut self) {
        for (id, agent) in &self.agents {
            self.trace.mix(id.bits());
            for shard in &agent.shards {
                let items = shard.entries().map(|(key, entry)| ChunkItem { key, entry });
                self.trace.mix_bytes(&items.collect::<Packed>().into_bytes());
                for (origin, counter) in shard.clock().iter() {
                    self.trace.mix(origin.bits() ^ counter.rotate_left(32));
                }
            }
        }
    }

    fn mix(&mut self, event: &Event) {
        let word = match event {
            Event::Deliver { wire, to } => (*wire as u64) << 32 ^ to.bits(),
            Event::Look(id) | Event::Settle(id) => id.bits(),
            Event::Dial { from, to } => from.bits() ^ to.bits().rotate_left(7),
            _ => 1,
        };
        self.trace.mix(word ^ self.now << 16);
    }
}
