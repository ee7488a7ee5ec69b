//! Invariant 5: join is idempotent, commutative and associative on any split of any transfer, stopped at any point.
//!
//! What the members hold of one key at one moment is joined in several orders, some of it twice and in parts of one entry
//! each, into replicas that hold nothing: all end with the same.

use std::collections::BTreeSet;

use baton_replica::{
    ChunkItem, Entry, Key, Limits, LinkId, Member, MemberPhase, Membership, MembershipVersion, ReplicaId, Roster,
    Settings, Settle, Shard, ShardMessage, Version,
};

use crate::world::World;

/// Entries of one key that are joined with each other.
const MOST: usize = 3;

/// Which of them, in which order.
const ORDERS: [&[usize]; 4] = [&[0, 1, 2], &[2, 1, 0], &[1, 0, 1, 2, 0], &[0, 2, 2, 1]];

/// Who joins them.
const JOINER: ReplicaId = match ReplicaId::new(u64::MAX) {
    Some(id) => id,
    None => unreachable!(),
};

/// The link of the replica that joins them.
const LINK: LinkId = LinkId(1);

pub(crate) fn check(world: &World) -> Result<(), String> {
    for index in 0..world.profile.shards {
        let mut keys: BTreeSet<Key> = BTreeSet::new();
        for agent in world.agents.values() {
            keys.extend(agent.shards[index].entries().map(|(key, _)| key));
        }
        for key in keys {
            let mut entries: Vec<Entry> = Vec::new();
            for entry in world.agents.values().filter_map(|agent| agent.entry(index, &key)) {
                if entries.len() < MOST && !entries.contains(&entry) {
                    entries.push(entry);
                }
            }
            if entries.len() > 1 {
                same_in_any_order(&key, &entries)?;
            }
        }
    }
    Ok(())
}

fn same_in_any_order(key: &Key, entries: &[Entry]) -> Result<(), String> {
    let joined = ORDERS.iter().map(|order| join(key, order.iter().filter_map(|at| entries.get(*at)), entries));
    let mut joined: Vec<Entry> = joined.collect::<Result<_, String>>()?;
    // Who says an ownership again makes a write of its own, which depends on what it knew when it did.
    if joined.iter().flat_map(Entry::versions).flat_map(Version::dots).any(|dot| dot.replica == JOINER) {
        joined.iter_mut().for_each(|entry| *entry = without_owners(entry));
    }
    match joined.windows(2).find(|two| two[0] != two[1]) {
        Some(two) => Err(format!("{key:?} is {:?} in one order and {:?} in another, of {entries:?}", two[0], two[1])),
        None => Ok(()),
    }
}

fn without_owners(entry: &Entry) -> Entry {
    let versions = entry.versions().iter().map(|version| Version { owner: None, ..version.clone() });
    Entry::new(versions.collect(), entry.context().clone())
}

fn join<'a>(key: &Key, order: impl Iterator<Item = &'a Entry>, all: &[Entry]) -> Result<Entry, String> {
    let writers = all.iter().flat_map(|entry| {
        let alive = entry.versions().iter().flat_map(Version::dots).map(|dot| dot.replica);
        alive.chain(entry.context().iter().map(|(replica, _)| replica)).collect::<Vec<_>>()
    });
    let writers: BTreeSet<ReplicaId> = writers.collect();
    let Some(origin) = writers.first().copied() else { return Ok(Entry::default()) };
    let mut roster = Roster::new(JOINER);
    let version = MembershipVersion { uid: "join".into(), number: 1 };
    let members = writers.iter().map(|writer| row(*writer)).collect();
    roster.take(&Membership { version, members, first: None, settings: Settings::default(), follows: Vec::new() });
    let mut shard = Shard::new(0, roster, Limits::default());
    shard.start_empty();
    shard.link_up(origin, LINK);
    for entry in order {
        let items = vec![ChunkItem { key: key.clone(), entry: entry.clone() }];
        let part = Settle { origin, round: 0, seen: 0, last: false, items, token: 0 };
        let outcome = shard.handle(origin, LINK, ShardMessage::Settle(part), 0);
        outcome.map_err(|error| format!("an entry of {key:?} is refused: {error}"))?;
    }
    Ok(shard.entries().next().map(|(_, entry)| entry).unwrap_or_default())
}

fn row(replica: ReplicaId) -> Member {
    Member { held_state: true, ..Member::new(replica, MemberPhase::Active) }
}
