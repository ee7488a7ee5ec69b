//! The replica that hears what hostile peers say: one shard with some state, and three peers.

use baton_replica::{
    Chunk, ChunkItem, Condition, Dot, Entry, Key, Limits, LinkId, MapName, MemberPhase, Operation, ReplicaId, Roster,
    Shard, ShardMessage, Value,
};
use baton_wire::convert::{membership_from_wire, shard_message_from_wire, shard_message_to_wire};
use baton_wire::directory as wire;
use baton_wire::handshake::Here;
use baton_wire::peer::Hello;
use baton_wire::peer::frame;
use baton_wire::peer::shard_frame::Body;
use bytes::Bytes;

/// This replica; its peers follow.
pub(crate) const ME: u64 = 1;

/// How many peers there are.
pub(crate) const PEERS: u64 = 3;

/// The id that this process had before, if it was removed once.
pub(crate) const FORMER: u64 = ME + PEERS + 1;

/// The group that it belongs to, and how many shards it says that it has.
pub(crate) const GROUP: &str = "games/arena";
pub(crate) const SHARDS: usize = 16;

/// Small enough that both are reached by a few messages.
const LIMITS: Limits = Limits { max_slots: 64, max_bytes: 1 << 30, batch_bytes: 4 * 1024, message_bytes: 8 * 1024 };

/// What is sent without a reason in what came: acknowledgements, and four chunks to each peer.
const MESSAGES: usize = 64;

/// The wall clock, in Unix milliseconds.
const NOW: u64 = 1_700_000_000_000;

/// Where the replica is in its life.
#[derive(arbitrary::Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Situation {
    Joining,
    Live,
    Leaving,
    Sealed,
}

/// One shard and its links.
pub(crate) struct Replica {
    shard: Shard,
    roster: Roster,
    link: LinkId,
    written: u64,
    fetch: Option<Fetch>,
    phases: [MemberPhase; PEERS as usize],
    was_removed: bool,
}

/// What happened under the former id, after all that has been seen here.
#[derive(arbitrary::Arbitrary, Debug)]
pub(crate) struct Past {
    /// The former state has another founder.
    is_strange: bool,
    writes: [(u8, Act); 3],
}

/// A write.
#[derive(arbitrary::Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Act {
    Put,
    PutFor { millis: u8 },
    Delete,
    Add { by: i64 },
    Claim,
    Release,
}

/// The full-state transfer that the replica asked for last.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(crate) peer: ReplicaId,
    pub(crate) transfer: u32,
}

/// A peer by any number.
pub(crate) fn peer(number: u8) -> ReplicaId {
    id(ME + 1 + u64::from(number) % PEERS)
}

/// One of a few keys, of two maps.
pub(crate) fn key(number: u8) -> Key {
    let map = MapName::parse(if number.is_multiple_of(2) { "m" } else { "players" }).expect("a name");
    Key::new(&map, &[b'a' + number % 8]).expect("a key")
}

/// A replica by its bits, which are not 0.
pub(crate) fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

// === impl Replica ===

impl Replica {
    pub(crate) fn new(situation: Situation) -> Self {
        let roster = Roster::new(id(ME));
        let shard = Shard::new(0, roster.clone(), LIMITS);
        let phases = [MemberPhase::Active; PEERS as usize];
        let mut replica = Self { shard, roster, link: LinkId(0), written: 0, fetch: None, phases, was_removed: false };
        replica.list([MemberPhase::Active; PEERS as usize]);
        if !matches!(situation, Situation::Joining) {
            let _ = replica.shard.start_empty();
            for number in 0..3 {
                replica.put(number);
            }
            replica.delete(1);
        }
        for number in 0..PEERS as u8 {
            replica.relink(peer(number));
        }
        match situation {
            Situation::Joining | Situation::Live => {}
            Situation::Leaving => replica.leave(),
            Situation::Sealed => replica.seal(),
        }
        replica.send(0);
        replica
    }

    pub(crate) const fn shard(&self) -> &Shard {
        &self.shard
    }

    pub(crate) const fn fetch(&self) -> Option<&Fetch> {
        self.fetch.as_ref()
    }

    /// Takes a message as a session does, the last of so many bytes that came, and sends what there is to send. A peer
    /// that breaks the protocol loses its link, and comes back.
    pub(crate) fn hear(&mut self, from: ReplicaId, body: Body, came: usize) {
        let Ok(message) = shard_message_from_wire(body) else { return };
        let before = self.shard.clock().clone();
        if self.shard.handle(from, self.link, message, NOW).is_err() {
            self.relink(from);
        }
        assert!(self.shard.clock().covers_all(&before), "a clock went back");
        // What a peer had not seen of a key's owner is said again; it makes this replica write nothing else.
        let written = self.written + 1..=self.shard.clock().get(id(ME));
        for counter in written {
            let says = |entry: &Entry| entry.owner().is_some_and(|owner| owner.dot == Dot { replica: id(ME), counter });
            assert!(self.shard.entries().any(|(_, entry)| says(&entry)), "a peer made this replica's writes");
            self.written = counter;
        }
        let next = Dot { replica: id(ME), counter: self.written + 1 };
        assert_eq!(self.shard.acknowledgements(next), 0, "a write was acknowledged before it was made");
        assert!(self.shard.log_slots() <= LIMITS.max_slots, "the log grew past its limit");
        self.send(came);
    }

    /// Who the replica's list names, in increasing order.
    pub(crate) fn listed(&self) -> Vec<ReplicaId> {
        self.roster.listed()
    }

    /// The round of settling that the replica is in.
    pub(crate) fn round(&self) -> u64 {
        self.roster.round()
    }

    pub(crate) fn put(&mut self, number: u8) {
        self.act(number, Act::Put);
    }

    pub(crate) fn delete(&mut self, number: u8) {
        self.act(number, Act::Delete);
    }

    pub(crate) fn act(&mut self, number: u8, act: Act) {
        let written = self.shard.write_one(&key(number), &Condition::Always, act.operation(), NOW);
        self.written += u64::from(written.is_ok_and(|done| done.dot.is_some()));
    }

    /// This process was removed, and has just found out: what it held comes along.
    pub(crate) fn inherit(&mut self, past: &Past) {
        if std::mem::replace(&mut self.was_removed, true) {
            return;
        }
        self.list(self.phases);
        self.shard.inherit(self.former(past));
    }

    /// Issues again what can be, of a few keys.
    pub(crate) fn reissue(&mut self, most: usize) {
        let _ = self.shard.reissue(NOW, most);
        let made = self.shard.clock().get(id(ME));
        assert!(made >= self.written, "writes were taken back");
        self.written = made;
    }

    /// Gives departed owners' keys others, as far as it is this replica's to do.
    pub(crate) fn adopt(&mut self, most: usize) {
        self.written += self.shard.adopt(NOW, most).writes as u64;
    }

    /// A shard under the former id, which has seen what this one has.
    fn former(&self, past: &Past) -> Shard {
        let (me, link) = (id(ME), LinkId(1));
        let mut former = Shard::new(0, Roster::of_group(id(FORMER), [id(FORMER), me]), LIMITS);
        let _ = former.link_up(me, link);
        let fetch = std::iter::from_fn(|| former.poll_transmit(me, link)).find_map(|message| match message {
            ShardMessage::Fetch { transfer } => Some(transfer),
            _ => None,
        });
        let whole = fetch.filter(|_| !past.is_strange).map(|transfer| ShardMessage::Chunk(self.whole(transfer)));
        // What peers have made up in its name it takes from nobody.
        if whole.is_none_or(|whole| former.handle(me, link, whole, NOW).is_err()) {
            let _ = former.start_empty();
        }
        for (number, act) in past.writes {
            let _ = former.write_one(&key(number), &Condition::Always, act.operation(), NOW);
        }
        former
    }

    /// All that is here, in one chunk.
    fn whole(&self, transfer: u32) -> Chunk {
        let items = self.shard.entries().map(|(key, entry)| ChunkItem { key, entry });
        Chunk {
            transfer,
            index: 0,
            clock: self.shard.clock().clone(),
            listed: self.listed(),
            founders: self.shard.founders().to_vec(),
            token: 0,
            level: 0,
            after: None,
            through: None,
            keys: 0,
            items: items.collect(),
        }
    }

    /// Holds a hello against what this agent is. Who passes is another member that the list names.
    pub(crate) fn greet(&self, hello: Hello) {
        let list = self.roster.version().map(|version| version.uid.as_str());
        let here = Here { group: GROUP, replica: id(ME), shards: SHARDS, list };
        let greeted = here.check(Some(frame::Body::Hello(hello)));
        match greeted.and_then(|greeted| greeted.listed(id(ME), &self.roster).map(|()| greeted.replica)) {
            Ok(peer) => assert!(peer != id(ME) && self.roster.lists(peer), "a stranger is taken for a member"),
            Err(refusal) => {
                assert!(!refusal.to_string().contains(char::is_control), "a refusal that is more than one line");
            }
        }
    }

    pub(crate) fn relink(&mut self, peer: ReplicaId) {
        let _ = self.shard.link_down(peer, self.link);
        let _ = self.shard.link_up(peer, self.link);
    }

    pub(crate) fn leave(&mut self) {
        self.roster.leave();
        let _ = self.shard.set_roster(self.roster.clone());
    }

    /// Time has passed: what has expired is dropped, step by step, and that ends.
    pub(crate) fn expire(&mut self, now: u64) {
        let steps = self.shard.remembered_keys() + 1;
        let ends = (0..steps).any(|_| !self.shard.expire(now, 1));
        assert!(ends, "what has expired is dropped for ever");
    }

    pub(crate) fn seal(&mut self) {
        let _ = self.shard.seal();
    }

    /// The list now says this of the peers.
    pub(crate) fn list(&mut self, phases: [MemberPhase; PEERS as usize]) {
        self.phases = phases;
        let phase = |phase| baton_wire::convert::phase_to_wire(phase).into();
        let row = |(replica, now)| wire::Member { replica, phase: phase(now), ..Default::default() };
        let former = self.was_removed.then_some((FORMER, MemberPhase::Gone));
        let list = wire::Membership {
            version: Some(wire::Version { uid: "uid".into(), number: 1 }),
            members: (ME + 1..).zip(phases).chain(former).map(row).collect(),
            ..Default::default()
        };
        self.roster.take(&membership_from_wire(list).expect("a list"));
        let _ = self.shard.set_roster(self.roster.clone());
    }

    /// Sends all that there is to send. Peers can read it, and it is not much more than the bytes that came.
    pub(crate) fn send(&mut self, came: usize) {
        let _ = self.shard.flush_acknowledgements();
        for number in 0..PEERS as u8 {
            let to = peer(number);
            let mut sent = 0;
            while let Some(message) = self.shard.poll_transmit(to, self.link) {
                if let ShardMessage::Fetch { transfer } = message {
                    self.fetch = Some(Fetch { peer: to, transfer });
                }
                let again = shard_message_from_wire(shard_message_to_wire(message.clone()));
                assert_eq!(again, Ok(message), "a message arrives as another message");
                sent += 1;
                assert!(sent <= MESSAGES + came, "a message made the replica talk for ever");
            }
        }
    }
}

// === impl Act ===

impl Act {
    fn operation(self) -> Operation {
        let value = Value { content_type: "text/plain".into(), body: Bytes::from_static(b"mine") };
        match self {
            Self::Put => Operation::Put { value, expires_at: None },
            Self::PutFor { millis } => Operation::Put { value, expires_at: Some(NOW + u64::from(millis)) },
            Self::Delete => Operation::Delete,
            Self::Add { by } => Operation::Increment(by),
            Self::Claim => Operation::Claim,
            Self::Release => Operation::Release,
        }
    }
}
