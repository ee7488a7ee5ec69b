//! Part of invariant 7: who says that a replica which is gone is settled has as much of its writes as any member. When all
//! have said so it is forgotten, and what one of them lacks then is lacked for ever.

use baton_replica::ReplicaId;

use crate::world::World;

/// When a replica reports that another is settled, for one set of ids: those who go by the same are no further.
pub(crate) fn check(world: &World, by: ReplicaId, gone: ReplicaId, round: u64) -> Result<(), String> {
    let Some(agent) = world.agents.get(&by) else { return Ok(()) };
    let is_mate = |id: ReplicaId| id != by && agent.roster.members().any(|(member, _)| member == id);
    let mates = world.agents.values().filter(|other| is_mate(other.id) && other.roster.round() == round);
    for other in mates {
        for (index, (mine, theirs)) in agent.shards.iter().zip(&other.shards).enumerate() {
            let (mine, theirs) = (mine.clock().get(gone), theirs.clock().get(gone));
            if mine < theirs {
                let id = other.id;
                return Err(format!("{by} settles {gone} in shard {index} at {mine}, and {id} has it up to {theirs}"));
            }
        }
    }
    Ok(())
}
