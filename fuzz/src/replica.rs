//! The replica that hears what hostile peers say: one shard with some state, and three peers.

use baton_replica::{
    Condition, Dot, Key, Limits, LinkId, MapName, MemberPhase, ReplicaId, Roster, Shard, ShardMessage, Value,
};
use baton_wire::convert::{membership_from_wire, shard_message_from_wire, shard_message_to_wire};
use baton_wire::directory as wire;
use baton_wire::peer::shard_frame::Body;
use bytes::Bytes;

/// This replica; its peers follow.
pub(crate) const ME: u64 = 1;

/// How many peers there are.
pub(crate) const PEERS: u64 = 3;

/// Small enough that both are reached by a few messages.
const LIMITS: Limits = Limits { max_slots: 64, max_bytes: 1 << 30, batch_bytes: 4 * 1024 };

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
        let mut replica = Self { shard, roster, link: LinkId(0), written: 0, fetch: None };
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
        assert_eq!(self.shard.clock().get(id(ME)), self.written, "a peer made this replica's writes");
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
        let value = Value { content_type: "text/plain".into(), body: Bytes::from_static(b"mine") };
        let written = self.shard.put(&key(number), value, &Condition::Always, NOW);
        self.written += u64::from(written.is_ok());
    }

    pub(crate) fn delete(&mut self, number: u8) {
        let written = self.shard.delete(&key(number), &Condition::Always, NOW);
        self.written += u64::from(matches!(written, Ok(Some(_))));
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
        let phase = |phase| baton_wire::convert::phase_to_wire(phase).into();
        let row = |(replica, now)| wire::Member { replica, phase: phase(now), ..Default::default() };
        let list = wire::Membership {
            version: Some(wire::Version { uid: "uid".into(), number: 1 }),
            members: (ME + 1..).zip(phases).map(row).collect(),
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
