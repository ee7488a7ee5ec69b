//! Invariant 7: clock entries, tombstones and logs are bounded by live data and live members, after any number of restarts;
//! a departure rewrites no entry.

use baton_replica::{MemberPhase, Shard, Version};

use crate::world::World;

/// At any time: the log has no more slots than it may.
pub(crate) fn check(world: &World) -> Result<(), String> {
    for (id, agent) in &world.agents {
        let most = world.limits_of(*id).max_slots;
        for (index, shard) in agent.shards.iter().enumerate() {
            if shard.log_slots() > most {
                return Err(format!("shard {index} of {id} has {} slots, and may have {most}", shard.log_slots()));
            }
        }
    }
    Ok(())
}

/// A new list: no version is touched, whoever it names no more.
pub(crate) fn check_departure(before: &[Vec<Version>], after: &[Vec<Version>]) -> Result<(), String> {
    if before == after { Ok(()) } else { Err("a list has changed versions".to_owned()) }
}

/// At the end: nothing is left of those who have gone, nor of what was deleted.
pub(crate) fn check_end(world: &World) -> Result<(), String> {
    let list = world.operator.list();
    if let Some(row) = list.members.iter().find(|row| row.phase == MemberPhase::Gone) {
        return Err(format!("{} is gone and never retired", row.replica));
    }
    for (id, agent) in &world.agents {
        for (index, shard) in agent.shards.iter().enumerate() {
            if let Some(complaint) = leftover(shard, |writer| list.member(writer).is_some()) {
                return Err(format!("shard {index} of {id} keeps {complaint}"));
            }
        }
    }
    Ok(())
}

fn leftover(shard: &Shard, listed: impl Fn(baton_replica::ReplicaId) -> bool) -> Option<String> {
    if shard.log_slots() > 0 {
        return Some("slots that everybody has acknowledged".to_owned());
    }
    if let Some((past, _)) = shard.clock().iter().find(|(writer, _)| !listed(*writer)) {
        return Some(format!("a clock entry of {past}, who is retired"));
    }
    let superseded = shard.entries().find(|(_, entry)| !entry.context().is_empty() || entry.versions().is_empty());
    superseded.map(|(key, entry)| format!("what {key:?} superseded, which everybody has seen: {entry:?}"))
}

/// All versions of a shard, by key.
pub(crate) fn versions(shard: &Shard) -> Vec<Vec<Version>> {
    shard.entries().map(|(_, entry)| entry.versions().to_vec()).filter(|versions| !versions.is_empty()).collect()
}
