//! Part of invariant 1: when replicas that must hold the same compare what they hold and it differs, that is found and
//! counted.

use std::collections::BTreeSet;

use baton_replica::{Dot, Shard};

use crate::world::World;

/// How many differences all have found so far, and whether there is one to be found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looked {
    found: u64,
    differs: bool,
}

/// Before everybody compares.
pub(crate) fn look(world: &World) -> Looked {
    let shards = || world.agents.values().flat_map(|agent| &agent.shards);
    let differs = (0..world.profile.shards).any(|index| differs(world, index));
    Looked { found: shards().map(Shard::digest_mismatches).sum(), differs }
}

/// When everybody has heard what all others hold.
pub(crate) fn check(world: &World, before: Looked) -> Result<(), String> {
    if before.differs && look(world).found == before.found {
        return Err("some hold what others do not that have seen the same, and nobody has found it".to_owned());
    }
    Ok(())
}

fn differs(world: &World, index: usize) -> bool {
    let shards = || world.agents.values().map(|agent| &agent.shards[index]);
    let comparable = |one: &Shard, other: &Shard| {
        let (mine, theirs) = (one.digest(), other.digest());
        let same = mine
            .zip(theirs)
            .is_some_and(|(mine, theirs)| mine.membership == theirs.membership && mine.clock == theirs.clock);
        same && one.founders() == other.founders()
    };
    shards().any(|one| shards().any(|other| comparable(one, other) && lasting(one) != lasting(other)))
}

/// The dots of what is there until somebody ends it.
pub(crate) fn lasting(shard: &Shard) -> BTreeSet<Dot> {
    let versions = shard.entries().flat_map(|(_, entry)| entry.versions().to_vec());
    versions.filter(|version| version.expires_at.is_none()).map(|version| version.dot).collect()
}
