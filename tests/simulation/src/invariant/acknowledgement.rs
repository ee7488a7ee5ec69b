//! Invariant 2: a write acknowledged with acks = n (so n + 1 holders) is readable while at most n of them have failed without
//! handing off.
//!
//! A handoff leaves a write with as many holders as the group asks for, or as the acknowledgements in use do, and of the
//! writes of one who stays it leaves one holder more; fewer if there are no more members.

use baton_replica::{Entry, MemberPhase, ReplicaId};

use crate::agent::Agent;
use crate::oracle::{Kind, Operation, Seen};
use crate::world::World;

/// When a client is told of n acknowledgements, n other processes have, or had, the write.
pub(crate) fn check_answer(world: &World, number: usize) -> Result<(), String> {
    let operation = &world.oracle.operations[number];
    let has = |seen: &Seen| world.oracle.covers(seen, operation.dot);
    // Only those count of whom the writer does not know that they leave.
    let writer = world.agents.get(&operation.dot.replica);
    let counts = |id: ReplicaId| {
        let peer = writer.and_then(|writer| writer.roster.peer(id));
        peer.is_some_and(|peer| peer.phase == MemberPhase::Active)
    };
    let others = world.agents.values().filter(|agent| counts(agent.id));
    let living = others.filter(|agent| has(&agent.seen(operation.shard))).count();
    let ended = world.oracle.ended.iter().filter(|ended| counts(ended.id) && has(&ended.seen[operation.shard])).count();
    if living + ended < operation.acks as usize {
        let (dot, acks) = (operation.dot, operation.acks);
        return Err(format!("the client of {dot} is told of {acks} acknowledgements, and {living} others have it"));
    }
    Ok(())
}

/// At the end, every write that the rule protects can be read, or was superseded by one that the group knows.
pub(crate) fn check_end(world: &World) -> Result<(), String> {
    if world.agents.values().all(|agent| !agent.holds_state()) {
        return Ok(());
    }
    let mut accounted = vec![None; world.oracle.operations.len()];
    for number in 0..world.oracle.operations.len() {
        let operation = &world.oracle.operations[number];
        // An owner may be replaced by another without a trace: that is for the invariant of owners.
        if operation.kind != Kind::Own && is_protected(world, operation) && !is_accounted(world, number, &mut accounted)
        {
            let Operation { dot, key, acks, .. } = operation;
            let failures = world.oracle.failures() - operation.failures_before;
            return Err(format!("{dot} of {key:?} is lost: {acks} acknowledgements, {failures} failures since"));
        }
    }
    Ok(())
}

/// Each handoff leaves a write with so many holders, which may be fewer than it had.
fn is_protected(world: &World, operation: &Operation) -> bool {
    let failures = world.oracle.failures() - operation.failures_before;
    failures <= operation.tolerates.min(operation.acks) as usize || world.agents.contains_key(&operation.dot.replica)
}

/// A process ends that says it has handed off: what it had is with so many others that it knows of, and of a survivor's
/// own writes somebody else has them too.
pub(crate) fn note_handoff(world: &mut World, id: ReplicaId) {
    let Some(agent) = world.agents.get(&id) else { return };
    let need = agent.need();
    let survivors: Vec<ReplicaId> = agent.roster.survivors().collect();
    let count = need.acks.max(need.level.min(survivors.len() as u32)).max(1);
    let seen: Vec<Seen> = (0..agent.shards.len()).map(|index| agent.seen(index)).collect();
    for number in 0..world.oracle.operations.len() {
        let operation = &world.oracle.operations[number];
        if !world.oracle.covers(&seen[operation.shard], operation.dot) {
            continue;
        }
        let others = survivors.iter().filter(|survivor| **survivor != operation.dot.replica).count() as u32;
        let tolerates = match survivors.contains(&operation.dot.replica) {
            true => count.min(others),
            false => count - 1,
        };
        let operation = &mut world.oracle.operations[number];
        operation.tolerates = operation.tolerates.min(tolerates);
    }
}

/// Whether a write is alive somewhere, or dead for a reason that the group knows.
fn is_accounted(world: &World, number: usize, accounted: &mut [Option<bool>]) -> bool {
    if let Some(known) = accounted[number] {
        return known;
    }
    // Later writes only are asked about, so this ends.
    let operation = &world.oracle.operations[number];
    let result = match &operation.made {
        None => is_known(world, operation),
        // What has expired is nowhere, and what has not may be dropped by a clock that is ahead.
        Some(version) => version.expires_at.is_some() || is_alive(world, operation),
    };
    let result = result || operation.superseders.iter().any(|later| is_accounted(world, *later, accounted));
    accounted[number] = Some(result);
    result
}

fn is_alive(world: &World, operation: &Operation) -> bool {
    let holds = |entry: &Entry| entry.versions().iter().any(|version| version.dot == operation.dot);
    world.agents.values().any(|agent| entry(agent, operation).is_some_and(|entry| holds(&entry)))
}

/// Whether a delete has arrived anywhere.
fn is_known(world: &World, operation: &Operation) -> bool {
    let seen = |agent: &Agent| world.oracle.covers(&agent.seen(operation.shard), operation.dot) && !operation.closed;
    let held = |agent: &Agent| entry(agent, operation).is_some_and(|entry| operation.is_held(&entry));
    world.agents.values().any(|agent| seen(agent) || held(agent))
}

fn entry(agent: &Agent, operation: &Operation) -> Option<Entry> {
    agent.entry(operation.shard, &operation.key)
}
