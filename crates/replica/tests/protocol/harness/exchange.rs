//! What happens on the connections: made, cut, noticed, sent on, delivered, delivered again.

use baton_replica::{Entry, Range, ReplicaId, ShardMessage};

use super::network::Envelope;
use super::world::World;

/// Ranges kept to be delivered again.
const KEPT: usize = 16;

/// Messages between two processes after which they ought to be done.
const TALKATIVE: usize = 2_000;

// === impl World ===

impl World {
    /// Two processes make a new connection; each side is up when it has the other's hello.
    pub(crate) fn connect(&mut self, a: ReplicaId, b: ReplicaId) {
        let hello = |world: &Self, id| {
            let node = &world.nodes[&id];
            Envelope::Hello { phase: node.phase, list: node.list.clone() }
        };
        let (from_a, from_b) = (hello(self, a), hello(self, b));
        let wire = self.network.connect(a, b);
        wire.push(b, from_a);
        wire.push(a, from_b);
    }

    /// A connection breaks; no side has noticed yet.
    pub(crate) fn cut(&mut self, a: ReplicaId, b: ReplicaId) {
        self.network.cut(a, b);
    }

    /// A process notices the links that are broken.
    pub(crate) fn notice(&mut self, replica: ReplicaId) {
        let broken = self.nodes[&replica].links.iter();
        let broken = broken.filter(|(peer, link)| self.network.link(replica, **peer) != Some(**link));
        for peer in broken.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            self.node(replica).link_down(peer);
        }
    }

    /// Cuts a connection and lets both sides notice.
    pub(crate) fn part(&mut self, a: ReplicaId, b: ReplicaId) {
        self.cut(a, b);
        self.notice(a);
        self.notice(b);
    }

    /// Sends at most so many of the messages that a process has for a peer. On a broken link they are lost.
    pub(crate) fn pump(&mut self, from: ReplicaId, to: ReplicaId, count: usize) -> bool {
        let mut sent = false;
        let node = self.nodes.get_mut(&from).expect("alive");
        let Some(link) = node.links.get(&to).copied() else {
            return false;
        };
        for _ in 0..count {
            let mut wire = self.network.wire(from, to).filter(|wire| wire.id == link);
            if wire.as_mut().is_some_and(|wire| !wire.has_room(to)) {
                break;
            }
            let Some(message) = node.shard.poll_transmit(to, link) else {
                node.woken.remove(&to);
                break;
            };
            sent = true;
            if let Some(wire) = wire {
                wire.push(to, Envelope::Shard { list: node.list.clone(), message });
            }
        }
        sent
    }

    /// Delivers the next message from one process to another; says whether there was one.
    pub(crate) fn deliver(&mut self, from: ReplicaId, to: ReplicaId) -> bool {
        let Some((link, envelope)) = self.network.pop(from, to) else {
            return false;
        };
        match envelope {
            Envelope::Hello { phase, list } => {
                self.take_list(to, &list);
                let known = self.node(to).roster.peer(from);
                if known.is_none_or(|peer| peer.phase == baton_replica::MemberPhase::Gone) {
                    self.network.cut(from, to);
                    return true;
                }
                let node = self.node(to);
                node.hear(from, phase);
                node.link_up(from, link);
                // The hello may be old: a session begins by saying the phase of now.
                let now = Envelope::Phase(node.phase);
                if let Some(wire) = self.network.wire(from, to) {
                    wire.push(from, now);
                }
            }
            Envelope::Phase(phase) => self.node(to).hear(from, phase),
            Envelope::Shard { list, message } => {
                self.take_list(to, &list);
                self.hand_over(from, to, message);
            }
        }
        true
    }

    /// Delivers an earlier range again, after all that came since: to whom it went, or to somebody else, who may have a gap
    /// below it.
    pub(crate) fn replay(&mut self, at: usize, to: Option<ReplicaId>) {
        let Some((first, from, range)) = self.delivered.get(at % self.delivered.len().max(1)).cloned() else {
            return;
        };
        let linked = |to: &ReplicaId| self.nodes.get(to).is_some_and(|node| node.links.contains_key(&from));
        let Some(to) = to.into_iter().chain([first]).find(linked) else {
            return;
        };
        if self.network.link(from, to) == self.nodes[&to].links.get(&from).copied() {
            self.hand_over(from, to, ShardMessage::Range(range));
        }
    }

    /// Two processes exchange at most a message each; says whether anything moved.
    pub(crate) fn exchange_once(&mut self, a: ReplicaId, b: ReplicaId) -> bool {
        let sent = self.pump(a, b, 1) | self.pump(b, a, 1);
        self.deliver(a, b) | self.deliver(b, a) | sent
    }

    /// Two processes exchange all they have to say.
    pub(crate) fn exchange(&mut self, a: ReplicaId, b: ReplicaId) {
        for _ in 0..TALKATIVE {
            let sent = self.pump_if_woken(a, b) | self.pump_if_woken(b, a);
            if !(self.deliver(a, b) | self.deliver(b, a) | sent) {
                return;
            }
        }
        panic!("{a} and {b} never come to an end");
    }

    /// Two processes exchange until the next message from one to the other is like this; says whether one came.
    pub(crate) fn exchange_until(&mut self, from: ReplicaId, to: ReplicaId, like: fn(&ShardMessage) -> bool) -> bool {
        for _ in 0..TALKATIVE {
            let sent = self.pump_if_woken(from, to) | self.pump_if_woken(to, from);
            if self.network.peek(from, to).is_some_and(like) {
                return true;
            }
            if !(self.deliver(from, to) | self.deliver(to, from) | sent) {
                return false;
            }
        }
        panic!("{from} and {to} never come to an end");
    }

    fn pump_if_woken(&mut self, from: ReplicaId, to: ReplicaId) -> bool {
        self.nodes.get(&from).is_some_and(|node| node.woken.contains(&to)) && self.pump(from, to, 1)
    }

    fn hand_over(&mut self, from: ReplicaId, to: ReplicaId, message: ShardMessage) {
        let now = self.now;
        let node = self.node(to);
        let Some(link) = node.links.get(&from).copied() else {
            return;
        };
        // What went ahead of a range is on its own link alone.
        let carries_all = |range: &&Range| range.items.iter().all(|item| item.entry != Entry::default());
        let range =
            if let ShardMessage::Range(range) = &message { Some(range).filter(carries_all).cloned() } else { None };
        let bootstrapped = node.handle(from, link, message, now).unwrap_or_else(|error| panic!("{to}: {error}"));
        if bootstrapped {
            self.became_active(to);
        }
        self.oracle.note_finds(&self.nodes[&to].shard);
        self.note_acknowledgements(to);
        if let Some(range) = range {
            self.delivered.truncate(KEPT - 1);
            self.delivered.push_front((to, from, range));
        }
    }

    fn note_acknowledgements(&mut self, replica: ReplicaId) {
        let shard = &self.nodes[&replica].shard;
        for counter in 1..=shard.clock().get(replica) {
            let dot = baton_replica::Dot { replica, counter };
            let most = self.acknowledged.entry(dot).or_default();
            *most = (*most).max(shard.acknowledgements(dot));
        }
    }
}
