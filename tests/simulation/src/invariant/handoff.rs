//! Invariant 3: a pod whose handoff is reported acknowledged leaves no write behind: some survivor covers its whole VV.
//!
//! Each shard may have a survivor of its own. One that has crashed counts as long as nobody could know:
//! that is a failure, not a lie.

use baton_replica::{ReplicaId, Shard, VersionVector};

use crate::oracle::Seen;
use crate::world::World;

/// Before a process ends that says it has handed off: everything that it has seen is with somebody else.
pub(crate) fn check_exit(world: &World, id: ReplicaId) -> Result<(), String> {
    let Some(agent) = world.agents.get(&id) else { return Ok(()) };
    check(world, id, &agent.clocks())
}

/// When a hook returns: so is everything that was known when it was called.
pub(crate) fn check_hook(world: &World, id: ReplicaId) -> Result<(), String> {
    let Some(agent) = world.agents.get(&id) else { return Ok(()) };
    let Some(clocks) = &agent.watermark else { return Err(format!("the hook of {id} returns without a watermark")) };
    check(world, id, clocks)
}

fn check(world: &World, id: ReplicaId, clocks: &[VersionVector]) -> Result<(), String> {
    let unnoticed = |ended: ReplicaId| world.agents.get(&id).is_some_and(|agent| agent.links.contains_key(&ended));
    // A part of a state that never came is nobody's.
    let holds_any = |shard: &Shard| !shard.is_joining() && shard.remembered_keys() > 0;
    let holds = |index: usize| world.agents.get(&id).is_some_and(|agent| holds_any(&agent.shards[index]));
    for (index, clock) in clocks.iter().enumerate().filter(|(index, _)| holds(*index)) {
        let founders = world.agents.get(&id).map(|agent| agent.seen(index).founders).unwrap_or_default();
        let living = world.agents.values().filter(|agent| agent.id != id).map(|agent| agent.seen(index));
        let failed = world
            .oracle
            .ended
            .iter()
            .filter(|ended| !ended.handed_off && unnoticed(ended.id))
            .map(|ended| ended.seen[index].clone());
        // Of what retired replicas wrote no clock says anything: who has all of it has it from the same founders.
        let has_all = |other: Seen| founders.is_subset(&other.founders) && world.oracle.covers_all(&other, clock);
        if !living.chain(failed).any(has_all) {
            return Err(format!("{id} says that it has handed off {clock:?} of shard {index}, and nobody has it"));
        }
    }
    Ok(())
}
