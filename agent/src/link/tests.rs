//! Agents of one group in one process, linked over loopback, with the member list in the test's hands.

mod acknowledgement;
mod adoption;
mod channel;
mod expiry;
mod fence;
mod full;
mod identity;
mod membership;
mod replaced;
mod sending;
mod slow;
mod stranger;
mod summary;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_replica::{
    AckLevel, Condition, Entry, Key, LinkId, MapName, Member, MemberPhase, Membership, MembershipVersion, Operation,
    Phase, Range, RangeItem, ReplicaId, Settings, ShardMessage, Shards, Value,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::engine::{DefaultLimits, Engine, Identity, Precondition, Write};
use crate::link;
use crate::refusal::Refusals;
use crate::transport::Transport;

const SHARDS: usize = 2;
const LIMITS: DefaultLimits = DefaultLimits { max_value_bytes: 1 << 20, max_bytes: 1 << 20, max_entries: 10_000 };

/// Longer than anything takes here, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(120);

/// The n-th agent has the id n + 1.
struct Town {
    agents: Vec<Agent>,
    number: u64,
}

struct Agent {
    engine: Arc<Engine>,
    address: String,
    phase: MemberPhase,
    transport: Transport,
    /// Its tasks; dropping them is its crash.
    tasks: JoinSet<()>,
}

// === impl Town ===

impl Town {
    /// Agents that are linked and hold the state, which is empty.
    async fn of(count: u64) -> Self {
        let mut agents = Vec::new();
        for bits in 1..=count {
            agents.push(Agent::start(bits).await);
        }
        Self::with(agents).await
    }

    async fn with(agents: Vec<Agent>) -> Self {
        let count = agents.len();
        let mut town = Self { agents, number: 0 };
        town.tell_all();
        town[0].engine.start_empty();
        for agent in &town.agents {
            agent.engine.set_phase(Phase::Active);
        }
        wait("all agents hold the state", || {
            town.agents.iter().all(|agent| agent.engine.holds_state() && agent.engine.links().all().len() + 1 == count)
        })
        .await;
        town
    }

    /// A new list, of all agents in their present phases but those that are left out.
    fn list(&mut self, without: &[usize]) -> Membership {
        self.number += 1;
        let kept = self.agents.iter().enumerate().filter(|(at, _)| !without.contains(at));
        Membership {
            version: MembershipVersion { uid: "u".to_owned(), number: self.number },
            members: kept.map(|(_, agent)| agent.row()).collect(),
            first: None,
            settings: Settings::default(),
            follows: Vec::new(),
        }
    }

    fn tell_all(&mut self) {
        let list = self.list(&[]);
        self.agents.iter().for_each(|agent| agent.engine.take_membership_from_source(list.clone()));
    }

    /// An agent crashes.
    fn crash(&mut self, at: usize) {
        self.agents[at].tasks.abort_all();
        self.agents[at].engine.links().all().iter().for_each(|link| link.closed.cancel());
        self.agents[at].phase = MemberPhase::Gone;
    }
}

impl std::ops::Index<usize> for Town {
    type Output = Agent;

    fn index(&self, at: usize) -> &Agent {
        &self.agents[at]
    }
}

// === impl Agent ===

impl Agent {
    async fn start(bits: u64) -> Self {
        Self::start_in(bits, &format!("web-{bits}")).await
    }

    async fn start_in(bits: u64, pod: &str) -> Self {
        Self::start_with(bits, pod, Transport::plain(Refusals::default())).await
    }

    async fn start_with(bits: u64, pod: &str, transport: Transport) -> Self {
        let identity = Identity { group: "shop/web".to_owned(), pod_name: pod.to_owned(), pod_uid: String::new() };
        Self::run(Engine::new(id(bits), identity, SHARDS, LIMITS), transport).await
    }

    async fn run(engine: Arc<Engine>, transport: Transport) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let mut tasks = JoinSet::new();
        let (serving, settling) = (engine.clone(), engine.clone());
        let accepting = transport.clone();
        tasks.spawn(async move { link::serve(serving, listener, accepting).await.expect("it serves") });
        tasks.spawn(link::dial(engine.clone(), transport.clone()));
        tasks.spawn(crate::engine::expire(engine.clone()));
        tasks.spawn(crate::engine::reissue(engine.clone()));
        tasks.spawn(crate::engine::adopt(engine.clone()));
        tasks.spawn(crate::engine::tell_watchers(engine.clone()));
        tasks.spawn(async move {
            loop {
                settling.unsettled().await;
                settling.settle();
            }
        });
        Self { engine, address, phase: MemberPhase::Active, transport, tasks }
    }

    fn row(&self) -> Member {
        Member {
            pod_name: self.engine.identity().pod_name.clone(),
            address: self.address.clone(),
            held_state: true,
            ..Member::new(self.engine.replica(), self.phase)
        }
    }

    /// Waits for nobody's acknowledgement.
    async fn put_alone(&self, name: &str) {
        let value = Value { content_type: Box::default(), body: b"v"[..].into() };
        let none = Some(AckLevel::Count(0));
        let operation = Operation::Put { value, expires_at: None };
        self.engine.write(write(name, operation, none)).await.expect("it is live");
    }

    async fn put(&self, name: &str) {
        let value = Value { content_type: Box::default(), body: b"v"[..].into() };
        let operation = Operation::Put { value, expires_at: None };
        self.engine.write(write(name, operation, None)).await.expect("it is live");
    }

    fn holds(&self, name: &str) -> bool {
        self.engine.get(&key(name)).expect("it is live").is_some()
    }

    /// Takes a range of one write as if the writer had a link to this agent alone.
    fn take_write(&self, writer: ReplicaId, counter: u64, name: &str, entry: Entry) {
        let link = LinkId(u64::MAX);
        let index = (key(name).hash() % SHARDS as u64) as usize;
        self.engine.with_shard(index, None, |shard| shard.link_up(writer, link));
        let items = vec![RangeItem { key: key(name), slots: vec![counter], entry }];
        let range =
            Range { origin: writer, from: counter - 1, to: counter, items, continued: Vec::new(), token: 0, level: 0 };
        self.engine.handle(index, writer, link, ShardMessage::Range(range)).expect("a sound range");
        self.engine.with_shard(index, None, |shard| shard.link_down(writer, link));
    }
}

fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

fn key(name: &str) -> Key {
    Key::new(&MapName::parse("default").expect("a name"), name.as_bytes()).expect("a key")
}

/// An operation that asks nothing of the key.
fn write(name: &str, operation: Operation, acks: Option<AckLevel>) -> Write {
    Write { key: key(name), precondition: Precondition::default(), operation, acks }
}

async fn wait(what: &str, there: impl Fn() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
