//! What has expired, by the clock of a replica, is dropped there when its timer runs.

use baton_replica::Shard;

use crate::world::World;

/// When the timer has run.
pub(crate) fn check(shard: &Shard, now: u64) -> Result<(), String> {
    if shard.next_deadline().is_some_and(|deadline| deadline <= now) {
        return Err(format!("the timer has run at {now}, and something is due at {:?}", shard.next_deadline()));
    }
    let expired = shard.entries().find(|(_, entry)| entry.versions().iter().any(|version| version.has_expired(now)));
    expired.map_or(Ok(()), |(key, entry)| Err(format!("{key:?} has expired at {now}, and is kept: {entry:?}")))
}

/// At the end, when all timers have run.
pub(crate) fn check_end(world: &World) -> Result<(), String> {
    for (id, agent) in &world.agents {
        for shard in &agent.shards {
            check(shard, world.wall(*id)).map_err(|error| format!("at {id} {error}"))?;
        }
    }
    Ok(())
}
