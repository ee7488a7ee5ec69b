//! The whole group: processes, connections, the operator and the truth.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use baton_replica::{
    Condition, Dot, Key, Limits, MapName, MemberPhase, Need, Range, ReplicaId, Shard, Value, VersionVector,
};
use bytes::Bytes;

use super::network::{Envelope, Network};
use super::node::Node;
use super::operator::Operator;
use super::oracle::{Operation, Oracle};

/// A group under test.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) nodes: BTreeMap<ReplicaId, Node>,
    pub(crate) network: Network,
    pub(crate) operator: Operator,
    pub(crate) oracle: Oracle,
    pub(crate) need: Need,
    pub(crate) now: u64,
    /// Who did something in the step.
    pub(crate) touched: BTreeSet<ReplicaId>,
    /// Who crashed, with what it had seen.
    pub(crate) crashed: Vec<(ReplicaId, VersionVector)>,
    /// Who ended after a handoff reported as acknowledged, with what it had seen.
    pub(crate) exited: Vec<(ReplicaId, VersionVector)>,
    /// The most acknowledgements that each write was ever said to have.
    pub(crate) acknowledged: BTreeMap<Dot, u32>,
    /// Ranges that were delivered, to whom and from whom, to be delivered again.
    pub(super) delivered: VecDeque<(ReplicaId, ReplicaId, Range)>,
    /// Who hears of nothing and nobody, not even when the group settles.
    pub(super) away: BTreeSet<ReplicaId>,
    /// Nobody issues again what it held under a former id.
    pub(crate) holds_reissues: bool,
    limits: Vec<Limits>,
    spawned: u64,
}

/// Limits that nothing in a test reaches.
pub(crate) const fn roomy() -> Limits {
    Limits { max_slots: 10_000, max_bytes: 1 << 30, batch_bytes: 1_000_000, message_bytes: 1 << 30 }
}

/// One key a message, and a window of so many slots.
pub(crate) const fn tight(max_slots: usize) -> Limits {
    Limits { max_slots, max_bytes: 1 << 30, batch_bytes: 1, message_bytes: 1 << 30 }
}

/// A key of the only map.
pub(crate) fn key(name: &str) -> Key {
    let map = MapName::parse("map").expect("valid");
    Key::new(&map, name.as_bytes()).expect("valid")
}

// === impl World ===

impl World {
    /// A group of one, which started empty. The limits are given out in turn.
    pub(crate) fn new(limits: Vec<Limits>) -> (Self, ReplicaId) {
        let mut world = Self {
            nodes: BTreeMap::new(),
            network: Network::default(),
            operator: Operator::new(),
            oracle: Oracle::default(),
            need: Need { acks: 1, level: 1 },
            now: 1_700_000_000_000,
            touched: BTreeSet::new(),
            crashed: Vec::new(),
            exited: Vec::new(),
            acknowledged: BTreeMap::new(),
            delivered: VecDeque::new(),
            away: BTreeSet::new(),
            holds_reissues: false,
            limits,
            spawned: 0,
        };
        let first = world.spawn();
        assert!(world.node(first).shard.start_empty().bootstrapped);
        world.became_active(first);
        (world, first)
    }

    /// A settled group.
    pub(crate) fn group<const N: usize>(limits: Limits) -> (Self, [ReplicaId; N]) {
        let (mut world, _) = Self::new(vec![limits]);
        for _ in 1..N {
            world.spawn();
        }
        world.settle();
        let ids: Vec<ReplicaId> = world.nodes.keys().copied().collect();
        (world, ids.try_into().expect("one id for each"))
    }

    /// A new process, without state.
    pub(crate) fn spawn(&mut self) -> ReplicaId {
        self.spawned += 1;
        let replica = ReplicaId::new(self.spawned).expect("not zero");
        self.operator.register(replica);
        let limits = self.limits[self.spawned as usize % self.limits.len()];
        // Every other clock is half a minute ahead.
        let skew = self.spawned % 2 * 30_000;
        self.nodes.insert(replica, Node::new(replica, limits, self.operator.list(), skew));
        replica
    }

    pub(crate) fn node(&mut self, replica: ReplicaId) -> &mut Node {
        self.touched.insert(replica);
        self.nodes.get_mut(&replica).expect("alive")
    }

    pub(crate) fn shard(&self, replica: ReplicaId) -> &Shard {
        &self.nodes.get(&replica).expect("alive").shard
    }

    /// The live keys that a replica reads, by the names that [`key`] was given.
    pub(crate) fn names(&self, replica: ReplicaId) -> Vec<String> {
        let map = MapName::parse("map").expect("valid");
        let rows = self.shard(replica).list(&map, b"", None, usize::MAX, self.now).expect("live");
        rows.iter().map(|row| String::from_utf8_lossy(row.key.name()).into_owned()).collect()
    }

    /// Puts a value that no other put has; `None` if the replica takes no writes.
    pub(crate) fn put(&mut self, at: ReplicaId, key: &Key) -> Option<Dot> {
        self.now += 1;
        let body = Bytes::from(format!("{}:{}", self.now, "x".repeat(self.now as usize % 7)));
        let value = Value { content_type: "text/plain".into(), body };
        let observed = self.live_dots(at, key);
        let now = self.now;
        let node = self.node(at);
        let dot = node.shard.put(key, value.clone(), &Condition::Always, now + node.skew).ok()?.dot;
        node.wake_all();
        self.oracle.record(dot, Operation { key: key.clone(), value: Some(value), observed });
        Some(dot)
    }

    /// Deletes a key; `None` if there is nothing to delete or the replica takes no writes.
    pub(crate) fn delete(&mut self, at: ReplicaId, key: &Key) -> Option<Dot> {
        let observed = self.live_dots(at, key);
        let now = self.now;
        let node = self.node(at);
        let dot = node.shard.delete(key, &Condition::Always, now + node.skew).ok()??.dot;
        node.wake_all();
        self.oracle.record(dot, Operation { key: key.clone(), value: None, observed });
        Some(dot)
    }

    /// The process leaves: its hook was called.
    pub(crate) fn leave(&mut self, replica: ReplicaId) {
        if self.nodes[&replica].phase != MemberPhase::Leaving {
            self.leave_silently(replica);
            self.announce(replica);
        }
    }

    /// The process leaves, and its peers hear of it from the operator only.
    pub(crate) fn leave_silently(&mut self, replica: ReplicaId) {
        let node = self.node(replica);
        if node.phase != MemberPhase::Leaving {
            node.leave();
            self.operator.report(replica, MemberPhase::Leaving);
        }
    }

    /// The operator sees a pod terminate; its process hears of it when the list reaches it.
    pub(crate) fn terminate(&mut self, replica: ReplicaId) {
        self.operator.report(replica, MemberPhase::Leaving);
    }

    /// The newest list reaches a process.
    pub(crate) fn push(&mut self, replica: ReplicaId) {
        let list = self.operator.list();
        self.take_list(replica, &list);
    }

    /// The app of a leaving process is gone.
    pub(crate) fn seal(&mut self, replica: ReplicaId) {
        let node = self.node(replica);
        if node.phase == MemberPhase::Leaving {
            node.sealed = true;
            node.shard.seal();
            node.wake_all();
        }
    }

    /// The hook of a leaving process is called.
    pub(crate) fn ask_again(&mut self, replica: ReplicaId) {
        let node = self.node(replica);
        node.shard.ask_again();
        node.wake_all();
    }

    /// Whether everything that a replica has seen is covered.
    pub(crate) fn is_covered(&self, replica: ReplicaId) -> bool {
        let shard = self.shard(replica);
        shard.coverage(shard.clock(), self.need).covered
    }

    /// A sealed process ends if everything is covered; says whether it did.
    pub(crate) fn exit(&mut self, replica: ReplicaId) -> bool {
        if !self.node(replica).sealed || !self.is_covered(replica) {
            return false;
        }
        let clock = self.remove(replica);
        self.exited.push((replica, clock));
        true
    }

    /// A process is killed.
    pub(crate) fn crash(&mut self, replica: ReplicaId) {
        let clock = self.remove(replica);
        self.crashed.push((replica, clock));
    }

    /// A process hears of nothing and nobody from now on.
    pub(crate) fn cut_off(&mut self, replica: ReplicaId) {
        for peer in self.ids() {
            if self.network.link(replica, peer).is_some() {
                self.part(replica, peer);
            }
        }
        self.away.insert(replica);
    }

    /// A process that was cut off can be reached again.
    pub(crate) fn come_into_sight(&mut self, replica: ReplicaId) {
        self.away.remove(&replica);
    }

    /// The operator removes a member whose process lives on.
    pub(crate) fn expel(&mut self, replica: ReplicaId) {
        self.operator.report(replica, MemberPhase::Gone);
    }

    /// A process that was removed hears of it and takes a new id.
    pub(crate) fn come_back(&mut self, replica: ReplicaId) -> ReplicaId {
        self.network.isolate(replica);
        self.touched.remove(&replica);
        self.away.remove(&replica);
        let former = self.nodes.remove(&replica).expect("alive");
        let new = self.spawn();
        self.node(new).shard.inherit(former.shard);
        new
    }

    /// Someone other than this process holds the state.
    pub(crate) fn can_spare(&self, replica: ReplicaId) -> bool {
        self.nodes.iter().any(|(id, node)| *id != replica && !node.shard.is_joining())
    }

    pub(super) fn take_list(&mut self, replica: ReplicaId, list: &std::rc::Rc<baton_replica::Membership>) {
        for gone in self.node(replica).take(list) {
            self.network.cut(replica, gone);
            self.node(replica).link_down(gone);
        }
        if self.node(replica).told_to_leave() {
            self.leave(replica);
        }
    }

    pub(crate) fn became_active(&mut self, replica: ReplicaId) {
        let node = self.node(replica);
        if node.phase == MemberPhase::Joining {
            node.phase = MemberPhase::Active;
            self.operator.report(replica, MemberPhase::Active);
            self.announce(replica);
        }
    }

    /// Peers hear of a new phase on their links, in order with all else.
    fn announce(&mut self, replica: ReplicaId) {
        let node = &self.nodes[&replica];
        for (peer, link) in &node.links {
            if let Some(wire) = self.network.wire(replica, *peer).filter(|wire| wire.id == *link) {
                wire.push(*peer, Envelope::Phase(node.phase));
            }
        }
    }

    fn remove(&mut self, replica: ReplicaId) -> VersionVector {
        self.network.isolate(replica);
        self.operator.ended(replica);
        self.touched.remove(&replica);
        let node = self.nodes.remove(&replica).expect("alive");
        let alive = |id: ReplicaId| self.nodes.contains_key(&id);
        self.oracle.note_losses(alive, self.nodes.values().map(|node| &node.shard));
        node.shard.clock().clone()
    }

    pub(super) fn live_dots(&self, at: ReplicaId, key: &Key) -> Vec<Dot> {
        let read = self.shard(at).get(key, self.now).ok().flatten();
        read.map(|read| read.versions().iter().map(|version| version.dot).collect()).unwrap_or_default()
    }
}
