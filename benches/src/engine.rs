//! What an agent's engine is without its locks and its links: shards, chosen by the key.

use std::hint::black_box;

use baton_replica::{
    Applied, Condition, Key, Limits, LinkId, MapName, Read, ReplicaId, Roster, Shard, ShardMessage, Sought, Value,
};
use bytes::Bytes;

use crate::sample;

/// As many as an agent has.
pub(crate) const SHARDS: usize = 16;

/// The wall clock of a run in which it does not matter.
pub(crate) const NOW: u64 = 1_700_000_000_000;

/// That to every peer.
const LINK: LinkId = LinkId(1);

/// The shards of one replica.
pub(crate) struct Engine {
    pub(crate) shards: Vec<Shard>,
    /// Those that it is linked to.
    peers: Vec<ReplicaId>,
    map: MapName,
}

// === impl Engine ===

impl Engine {
    /// A replica of a group of so many, itself included, that holds the state and is linked to nobody.
    pub(crate) fn new(me: u64, members: u64) -> Self {
        let roster = roster(me, members);
        let shards = (0..SHARDS).map(|index| Shard::new(index, roster.clone(), Limits::default()));
        let mut shards: Vec<Shard> = shards.collect();
        for shard in &mut shards {
            shard.start_empty();
        }
        Self { shards, peers: Vec::new(), map: MapName::parse("bench").unwrap_or_else(|error| unreachable!("{error}")) }
    }

    /// The same, linked to all others, which have all that there is whenever [`Self::spread`] was called.
    pub(crate) fn linked(me: u64, members: u64) -> Self {
        let mut engine = Self::new(me, members);
        engine.peers = (1..=members).filter(|member| *member != me).map(replica).collect();
        for shard in &mut engine.shards {
            for peer in &engine.peers {
                shard.link_up(*peer, LINK);
                hear(shard, *peer, true);
            }
        }
        engine
    }

    /// Sends peers what there is for them, and takes their acknowledgements of it.
    pub(crate) fn spread(&mut self) {
        for shard in &mut self.shards {
            for peer in &self.peers {
                while let Some(message) = shard.poll_transmit(*peer, LINK) {
                    black_box(message);
                    hear(shard, *peer, false);
                }
            }
        }
    }

    /// Writes that some peer has not acknowledged, as far as the log remembers them.
    pub(crate) fn log_slots(&self) -> usize {
        self.shards.iter().map(Shard::log_slots).sum()
    }

    /// Puts a value as it comes from a client: key and value are copied out of its request.
    pub(crate) fn put(&mut self, number: u64, body: &[u8]) {
        self.put_at(&self.key(number), body);
    }

    /// Puts values whose requests have come together.
    pub(crate) fn put_burst(&mut self, numbers: &[u64], body: &[u8]) {
        for key in self.expected(numbers) {
            self.put_at(&key, body);
        }
    }

    /// Reads what a client asks for.
    pub(crate) fn get(&self, number: u64) -> Option<Read> {
        self.get_at(&self.key(number))
    }

    /// Reads what is asked for by requests that have come together; each answer is gone before the next is made.
    pub(crate) fn get_burst(&self, numbers: &[u64], answer: impl Fn(Option<Read>)) {
        for key in self.expected(numbers) {
            answer(self.get_at(&key));
        }
    }

    fn put_at(&mut self, key: &Key, body: &[u8]) {
        let value = Value { content_type: Box::default(), body: Bytes::copy_from_slice(body) };
        let shard = self.shard(key);
        let done = self.shards[shard].put(key, value, &Condition::Always, NOW);
        debug_assert!(done.is_ok(), "{done:?}");
    }

    fn get_at(&self, key: &Key) -> Option<Read> {
        self.shards[self.shard(key)].get(key, NOW).ok().flatten()
    }

    /// The keys of a burst, after all that they need was asked for: first where their entries are, then the entries.
    fn expected(&self, numbers: &[u64]) -> Vec<Key> {
        let keys: Vec<Key> = numbers.iter().map(|number| self.key(*number)).collect();
        let seek = |key: &Key| {
            let shard = &self.shards[self.shard(key)];
            (shard, shard.seek(key))
        };
        let sought: Vec<(&Shard, Sought)> = keys.iter().map(seek).collect();
        sought.into_iter().for_each(|(shard, sought)| shard.expect(sought));
        keys
    }

    fn key(&self, number: u64) -> Key {
        Key::new(&self.map, &sample::name(number)).unwrap_or_else(|error| unreachable!("{error}"))
    }

    fn shard(&self, key: &Key) -> usize {
        (key.hash() % self.shards.len() as u64) as usize
    }
}

/// A peer says that it has all that there is here.
fn hear(shard: &mut Shard, peer: ReplicaId, full: bool) {
    let founders = if full { shard.founders().to_vec() } else { Vec::new() };
    let clock = shard.clock().clone();
    let applied = Applied { clock, full, answers_range: !full, heard_leaving: 0, leaving: 0, founders };
    let done = shard.handle(peer, LINK, ShardMessage::Applied(applied), NOW);
    debug_assert!(done.is_ok(), "{done:?}");
}

/// The id of a member of a bench's group, from 1.
pub(crate) fn replica(number: u64) -> ReplicaId {
    ReplicaId::new(number).unwrap_or_else(|| unreachable!("members are numbered from 1"))
}

/// A group of Active members, as one of them sees it.
pub(crate) fn roster(me: u64, members: u64) -> Roster {
    Roster::of_group(replica(me), (1..=members).map(replica))
}
