//! When all faults end, everything comes to rest: everybody has the state, the same state, and no leaver waits for ever.

use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    if world.agents.is_empty() {
        return Err("nobody is left".to_owned());
    }
    for (id, agent) in &world.agents {
        if agent.life.leaving() {
            return Err(format!("{id} leaves for ever"));
        }
        if !agent.waiting.is_empty() {
            return Err(format!("a client of {id} waits for ever"));
        }
        if agent.list_number() != world.operator.list().version.number {
            return Err(format!("{id} never got the newest list"));
        }
        for (index, shard) in agent.shards.iter().enumerate() {
            let complaint = if shard.is_joining() {
                "never got the state"
            } else if shard.is_rejoining() {
                "waits for a transfer"
            } else if !shard.lacks_nothing_known() {
                "lacks something that others are known to have"
            } else if shard.inherited() > 0 {
                "holds what it never issues again"
            } else if shard.digest().is_none() {
                "cannot compare what it holds"
            } else {
                continue;
            };
            return Err(format!("shard {index} of {id} {complaint}"));
        }
    }
    agree(world)
}

fn agree(world: &World) -> Result<(), String> {
    let Some((first, model)) = world.agents.iter().next() else { return Ok(()) };
    for (id, agent) in &world.agents {
        for (index, (mine, shard)) in model.shards.iter().zip(&agent.shards).enumerate() {
            if mine.founders() != shard.founders() {
                return Err(format!("shard {index} of {first} and {id} come from different founders for ever"));
            }
            if mine.clock() != shard.clock() {
                let (a, b) = (mine.clock(), shard.clock());
                return Err(format!("shard {index}: {first} has seen {a:?}, and {id} {b:?}"));
            }
        }
    }
    Ok(())
}
