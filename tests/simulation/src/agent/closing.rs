//! What a shard closes of replicas that are gone: the truth must hear which writes nobody has any more.

use baton_replica::{Entry, Key, ReplicaId, Shard, ShardMessage};

use super::Agent;

/// Writes `(from, through]` of a replica that is gone, which a shard has closed.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) shard: usize,
    pub(crate) origin: ReplicaId,
    pub(crate) from: u64,
    pub(crate) through: u64,
    /// What the shard held before: with nobody else to know of it, a delete is forgotten as soon as it is closed.
    pub(crate) before: Vec<(Key, Entry)>,
}

/// Writes `(from, to]` of an origin that a message brings: its sender had them, whatever has become of it since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    origin: ReplicaId,
    from: u64,
    to: u64,
}

/// What a message brings, as far as whoever takes it may claim it.
pub(super) fn claims(message: &ShardMessage) -> Vec<Claim> {
    match message {
        ShardMessage::Range(range) => vec![Claim { origin: range.origin, from: range.from, to: range.to }],
        ShardMessage::Chunk(chunk) if chunk.through.is_none() => {
            chunk.clock.iter().map(|(origin, to)| Claim { origin, from: 0, to }).collect()
        }
        _ => Vec::new(),
    }
}

// === impl Agent ===

impl Agent {
    /// Notes what a call closes of replicas that are gone. What a message brought is not closed by it.
    pub(super) fn noting_closed<R>(&mut self, index: usize, claims: &[Claim], call: impl FnOnce(&mut Shard) -> R) -> R {
        let shard = &mut self.shards[index];
        let clock = shard.clock().clone();
        // The shard may hear of who is gone in this very call.
        let is_quiet = self.roster.gone().next().is_none();
        let before: Vec<(Key, Entry)> = if is_quiet { Vec::new() } else { shard.entries().collect() };
        let result = call(shard);
        for origin in shard.roster().gone() {
            let (seen, through) = (clock.get(origin), shard.clock().get(origin));
            // A claim over a gap says nothing of the gap.
            let follows = |claim: &&Claim| claim.origin == origin && claim.from <= seen && claim.to <= through;
            let from = claims.iter().filter(follows).map(|claim| claim.to).fold(seen, u64::max);
            if through > from {
                self.closed.push(Closed { shard: index, origin, from, through, before: before.clone() });
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use baton_replica::{
        Chunk, ChunkItem, Dot, Entry, Hlc, Key, Limits, MapName, Member, MemberPhase, Membership, MembershipVersion,
        Packed, ReplicaId, Settings, Settle, Shard, ShardMessage, Version, VersionVector,
    };

    use crate::agent::{Agent, link_id};

    const WIRE: usize = 0;

    fn id(bits: u64) -> ReplicaId {
        ReplicaId::new(bits).expect("not zero")
    }

    /// One that joins, linked to one that holds the state; a third is gone.
    fn joiner() -> (Agent, ReplicaId, ReplicaId) {
        let (me, source, gone) = (id(1), id(2), id(3));
        let rows = [(me, MemberPhase::Joining), (source, MemberPhase::Active), (gone, MemberPhase::Gone)];
        let members = rows.map(|(replica, phase)| Member { held_state: true, ..Member::new(replica, phase) }).into();
        let version = MembershipVersion { uid: "list".into(), number: 1 };
        let list = Membership { version, members, first: None, settings: Settings::default() };
        let mut agent = Agent::new(me, 1, 1, Limits::default(), 1_000, 0);
        assert!(agent.take_list(&Rc::new(list)));
        agent.link_up(source, WIRE, MemberPhase::Active);
        (agent, source, gone)
    }

    fn held(replica: ReplicaId, counter: u64) -> (Key, Entry) {
        let key = Key::new(&MapName::parse("map").expect("a name"), b"k").expect("a key");
        let dot = Dot { replica, counter };
        let (hlc, writer) = (Hlc::default(), replica);
        let version = Version { dot, hlc, writer, value: None, added: 1, owner: None, expires_at: None };
        (key, Entry::new(vec![version], VersionVector::new()))
    }

    /// Seed 1363897: the source had ended when its chunk arrived, so no living member had seen what the chunk claims.
    #[test]
    fn what_a_transfer_brings_is_not_closed_though_its_source_has_ended() {
        let (mut agent, source, gone) = joiner();
        let asked = std::iter::from_fn(|| agent.shards[0].poll_transmit(source, link_id(WIRE)));
        let asked: Vec<ShardMessage> = asked.collect();
        let [.., ShardMessage::Fetch { transfer }] = asked[..] else { panic!("{asked:?}") };
        let (key, entry) = held(gone, 3);
        let clock = VersionVector::from_iter([(gone, 3)]);
        let (listed, founders) = (vec![id(1), source, gone], vec![source]);
        let items: Packed = [ChunkItem { key, entry }].into_iter().collect();
        let (token, level, keys, after, through) = (0, 0, 1, None, None);
        let chunk = Chunk { transfer, index: 0, clock, listed, founders, token, level, keys, after, through, items };
        agent.handle(0, source, link_id(WIRE), ShardMessage::Chunk(chunk), 0).expect("honest");
        assert_eq!(agent.shards[0].clock().get(gone), 3);
        assert!(agent.closed.is_empty(), "{:?}", agent.closed);
    }

    #[test]
    fn what_nobody_has_seen_is_closed_when_the_members_have_settled() {
        let (mut agent, source, gone) = joiner();
        agent.with_shard(0, None, Shard::start_empty);
        let (key, entry) = held(gone, 3);
        let (round, items) = (agent.roster.round(), vec![ChunkItem { key, entry }]);
        let settle = Settle { origin: gone, round, seen: 0, last: true, items, token: 0 };
        agent.handle(0, source, link_id(WIRE), ShardMessage::Settle(settle), 0).expect("honest");
        let closed: Vec<_> = agent.closed.iter().map(|closed| (closed.origin, closed.from, closed.through)).collect();
        assert_eq!(closed, [(gone, 0, 3)]);
    }
}
