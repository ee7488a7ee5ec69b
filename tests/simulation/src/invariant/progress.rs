//! Without faults nobody fails.
//!
//! - Whoever leaves hands off: no hook fails, no process ends as failed, and none is killed, if for long enough all whom it
//!   takes for survivors hold the state and are linked with it, and they are as many as its group asks for. Others had
//!   too little time, nobody to hand off to, or were given up by a person. Who was removed is not done with that.
//! - Whoever writes is answered: at the end every member writes once and asks for all others.
//! - At last one of them leaves, with time enough, and ends as acknowledged.

use baton_replica::{Progress, ReplicaId, VersionVector};

use crate::agent::Agent;
use crate::world::World;

/// Time without faults in which a survivor takes all that a small group holds: half of the shortest hold.
const ENOUGH: u64 = 500;

/// When a hook returns as failed.
pub(crate) fn check_hook(world: &World, id: ReplicaId) -> Result<(), String> {
    let Some(agent) = world.agents.get(&id) else { return Ok(()) };
    let Some(clocks) = &agent.watermark else { return Ok(()) };
    fails(world, agent, clocks, "the hook fails")
}

/// When a process ends as failed.
pub(crate) fn check_exit(world: &World, id: ReplicaId) -> Result<(), String> {
    let Some(agent) = world.agents.get(&id) else { return Ok(()) };
    fails(world, agent, &agent.clocks(), "it ends as failed")
}

/// When the grace of a process is over that was told to stop at some time.
pub(crate) fn check_killed(world: &World, id: ReplicaId, stopped: u64) -> Result<(), String> {
    let Some(agent) = world.agents.get(&id) else { return Ok(()) };
    if world.now < stopped + ENOUGH {
        return Ok(());
    }
    fails(world, agent, &agent.clocks(), "it is killed")
}

/// Each write from this one on was answered, if it waited for anybody.
pub(crate) fn check_answered(world: &World, first: usize) -> Result<(), String> {
    let unanswered = world.oracle.operations[first..].iter().find(|operation| operation.acks < operation.asked);
    unanswered.map_or(Ok(()), |operation| {
        let (dot, asked) = (operation.dot, operation.asked);
        Err(format!("the client of {dot} waits for {asked} acknowledgements, and is never answered"))
    })
}

/// The last who has left handed off.
pub(crate) fn check_left(world: &World, id: ReplicaId) -> Result<(), String> {
    let ended = world.oracle.ended.iter().find(|ended| ended.id == id);
    match ended {
        Some(ended) if ended.handed_off => Ok(()),
        Some(_) => Err(format!("{id} leaves when all is well, and hands off nothing")),
        None => Err(format!("{id} leaves when all is well, and never ends")),
    }
}

fn fails(world: &World, agent: &Agent, clocks: &[VersionVector], how: &str) -> Result<(), String> {
    let is_calm = world.over.is_some_and(|over| over + ENOUGH <= world.now);
    if !is_calm || agent.life.released() || agent.progress_of(clocks) != Progress::Uncovered {
        return Ok(());
    }
    if agent.roster.is_fenced() {
        return Err(format!("{} was removed, joins under no new id, and {how}", agent.id));
    }
    let survivors: Vec<ReplicaId> = agent.roster.survivors().collect();
    let enough = survivors.len() >= agent.settings().handoff_acks.max(1) as usize;
    if !enough || !survivors.iter().all(|survivor| could_take(world, agent, *survivor)) || !is_whole(world) {
        return Ok(());
    }
    Err(format!("{} leaves, {survivors:?} may take what it has, and {how}", agent.id))
}

/// Whether a survivor has had the state, and a link with the leaver, for long enough.
fn could_take(world: &World, leaver: &Agent, id: ReplicaId) -> bool {
    let Some(survivor) = world.agents.get(&id) else { return false };
    let is_linked = survivor.links.contains_key(&leaver.id) && leaver.links.contains_key(&id);
    is_linked && survivor.active.is_some_and(|active| active + ENOUGH <= world.now)
}

/// Whether no link has come up a moment ago, and none is broken without notice of a side: what is on its way there is
/// missed by that side and by whoever waits for it, and that fault is not over.
fn is_whole(world: &World) -> bool {
    let mut links = world.agents.values().flat_map(|agent| agent.links.values());
    links.all(|link| world.network.wires[link.wire].open && link.since + ENOUGH <= world.now)
}
