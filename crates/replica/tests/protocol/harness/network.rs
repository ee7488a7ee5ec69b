//! Links between pairs: ordered and reliable while they are up, and everything on its way lost when they are not.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use baton_replica::{LinkId, MemberPhase, Membership, ReplicaId, ShardMessage};

/// Messages on their way in one direction before the sender must wait, as a transport's window does.
const WINDOW: usize = 4;

/// What travels.
#[derive(Clone, Debug)]
pub(crate) enum Envelope {
    /// The first on a link: who is there, and the newest list it has.
    Hello { phase: MemberPhase, list: Rc<Membership> },
    /// The sender's phase has changed.
    Phase(MemberPhase),
    /// A shard's message. The sender's list goes before it when the receiver has an older one.
    Shard { list: Rc<Membership>, message: ShardMessage },
}

/// A connection between two processes.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) id: LinkId,
    queues: BTreeMap<ReplicaId, VecDeque<Envelope>>,
}

/// All connections, by the pair of ids in order.
#[derive(Debug, Default)]
pub(crate) struct Network {
    wires: BTreeMap<(ReplicaId, ReplicaId), Wire>,
    made: u64,
}

// === impl Wire ===

impl Wire {
    /// Whether the sender need not wait.
    pub(crate) fn has_room(&self, to: ReplicaId) -> bool {
        self.queues.get(&to).is_some_and(|queue| queue.len() < WINDOW)
    }

    pub(crate) fn push(&mut self, to: ReplicaId, envelope: Envelope) {
        self.queues.entry(to).or_default().push_back(envelope);
    }
}

// === impl Network ===

impl Network {
    /// Makes a connection; what was on an earlier one is lost.
    pub(crate) fn connect(&mut self, a: ReplicaId, b: ReplicaId) -> &mut Wire {
        self.made += 1;
        let wire = Wire { id: LinkId(self.made), queues: BTreeMap::from([(a, VecDeque::new()), (b, VecDeque::new())]) };
        let at = pair(a, b);
        self.wires.insert(at, wire);
        self.wires.get_mut(&at).expect("just made")
    }

    /// Cuts a connection; says whether there was one.
    pub(crate) fn cut(&mut self, a: ReplicaId, b: ReplicaId) -> bool {
        self.wires.remove(&pair(a, b)).is_some()
    }

    pub(crate) fn wire(&mut self, a: ReplicaId, b: ReplicaId) -> Option<&mut Wire> {
        self.wires.get_mut(&pair(a, b))
    }

    /// The number of the connection between two processes.
    pub(crate) fn link(&self, a: ReplicaId, b: ReplicaId) -> Option<LinkId> {
        self.wires.get(&pair(a, b)).map(|wire| wire.id)
    }

    /// The next message from one process to another, with the connection it came on.
    pub(crate) fn pop(&mut self, from: ReplicaId, to: ReplicaId) -> Option<(LinkId, Envelope)> {
        let wire = self.wire(from, to)?;
        let envelope = wire.queues.get_mut(&to)?.pop_front()?;
        Some((wire.id, envelope))
    }

    /// The shard message that would be delivered next.
    pub(crate) fn peek(&self, from: ReplicaId, to: ReplicaId) -> Option<&ShardMessage> {
        match self.wires.get(&pair(from, to))?.queues.get(&to)?.front()? {
            Envelope::Shard { message, .. } => Some(message),
            Envelope::Hello { .. } | Envelope::Phase(_) => None,
        }
    }

    /// The directions, from and to, in which something is on its way.
    pub(crate) fn busy(&self) -> Vec<(ReplicaId, ReplicaId)> {
        let busy = self.wires.iter().flat_map(|((a, b), wire)| {
            [(*a, *b), (*b, *a)]
                .into_iter()
                .filter(|(_, to)| wire.queues.get(to).is_some_and(|queue| !queue.is_empty()))
        });
        busy.collect()
    }

    /// The pairs that are connected.
    pub(crate) fn pairs(&self) -> Vec<(ReplicaId, ReplicaId)> {
        self.wires.keys().copied().collect()
    }

    /// Cuts every connection of a process.
    pub(crate) fn isolate(&mut self, replica: ReplicaId) {
        self.wires.retain(|(a, b), _| *a != replica && *b != replica);
    }
}

fn pair(a: ReplicaId, b: ReplicaId) -> (ReplicaId, ReplicaId) {
    (a.min(b), a.max(b))
}
