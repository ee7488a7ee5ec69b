//! Connections: ordered and reliable while they are up; what is on its way when one breaks is lost or arrives late.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use baton_replica::{MemberPhase, Membership, ReplicaId, ShardMessage};

/// Messages on their way in one direction before the sender must wait, as a transport's window does.
const WINDOW: usize = 6;

/// What travels, with the newest list of the sender: a receiver that is behind takes that first.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) list: Option<Rc<Membership>>,
    pub(crate) body: Body,
}

/// The content.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// The first on a connection.
    Hello(MemberPhase),
    /// The sender's phase has changed.
    Phase(MemberPhase),
    /// A shard's message.
    Shard(usize, ShardMessage),
}

/// One connection; its number is the link's id on both sides.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) dialer: ReplicaId,
    pub(crate) open: bool,
    /// Lets messages through although all others wait.
    pub(crate) flows: bool,
    /// Some message has arrived twice: what is said to that may be refused, which ends the connection.
    pub(crate) repeated: bool,
    pub(crate) ends: [End; 2],
}

/// What goes to one end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) replica: ReplicaId,
    pub(crate) queue: VecDeque<Envelope>,
    /// The replica knows that the connection is broken.
    pub(crate) noticed: bool,
    /// No message arrives before this: they are in order.
    pub(crate) last: u64,
    /// The last message that it has heard, of which shard, if that is kept.
    pub(crate) last_heard: Option<(usize, ShardMessage)>,
}

/// All connections that ever were.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) wires: Vec<Wire>,
    /// The open one of a pair.
    current: BTreeMap<(ReplicaId, ReplicaId), usize>,
    /// Directions in which nothing arrives.
    pub(crate) blocked: BTreeSet<(ReplicaId, ReplicaId)>,
}

// === impl Wire ===

impl Wire {
    /// The end at a replica.
    pub(crate) fn end(&mut self, replica: ReplicaId) -> &mut End {
        let at = usize::from(self.ends[1].replica == replica);
        &mut self.ends[at]
    }

    pub(crate) fn other(&self, replica: ReplicaId) -> ReplicaId {
        if self.ends[0].replica == replica { self.ends[1].replica } else { self.ends[0].replica }
    }

    /// Whether a sender to this replica need not wait. On a broken connection it does not notice that it should.
    pub(crate) fn has_room(&mut self, to: ReplicaId) -> bool {
        !self.open || self.end(to).queue.len() < WINDOW
    }
}

// === impl Network ===

impl Network {
    /// Makes a connection.
    pub(crate) fn connect(&mut self, dialer: ReplicaId, other: ReplicaId) -> usize {
        let end = |replica| End { replica, queue: VecDeque::new(), noticed: false, last: 0, last_heard: None };
        self.wires.push(Wire { dialer, open: true, flows: false, repeated: false, ends: [end(dialer), end(other)] });
        let id = self.wires.len() - 1;
        self.current.insert(pair(dialer, other), id);
        id
    }

    /// The open connection of a pair.
    pub(crate) fn between(&self, a: ReplicaId, b: ReplicaId) -> Option<usize> {
        self.current.get(&pair(a, b)).copied()
    }

    /// All open connections.
    pub(crate) fn open(&self) -> impl Iterator<Item = usize> + '_ {
        self.current.values().copied()
    }

    /// Breaks a connection; says whether it was open.
    pub(crate) fn cut(&mut self, id: usize) -> bool {
        let wire = &mut self.wires[id];
        let was_open = std::mem::replace(&mut wire.open, false);
        if was_open {
            self.current.remove(&pair(wire.ends[0].replica, wire.ends[1].replica));
        }
        was_open
    }

    pub(crate) fn is_blocked(&self, from: ReplicaId, to: ReplicaId) -> bool {
        !self.blocked.is_empty() && self.blocked.contains(&(from, to))
    }
}

fn pair(a: ReplicaId, b: ReplicaId) -> (ReplicaId, ReplicaId) {
    (a.min(b), a.max(b))
}
