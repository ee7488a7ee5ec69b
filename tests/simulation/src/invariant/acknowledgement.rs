//! Invariant 2: a write acknowledged with acks = n (so n + 1 holders) is readable while at most n of them have failed without
//! handing off.
//!
//! Each handoff leaves at least as many holders as the group asks handoffs for, which may be fewer than n + 1. So when
//! somebody has left since, only so many failures less one are excused.

use baton_replica::Entry;

use crate::agent::Agent;
use crate::oracle::{Kind, Operation, Seen};
use crate::world::World;

/// When a client is told of n acknowledgements, n other processes have, or had, the write.
pub(crate) fn check_answer(world: &World, number: usize) -> Result<(), String> {
    let operation = &world.oracle.operations[number];
    let has = |seen: &Seen| world.oracle.covers(seen, operation.dot);
    let others = world.agents.values().filter(|agent| agent.id != operation.dot.replica);
    let living = others.filter(|agent| has(&agent.seen(operation.shard))).count();
    let ended = world.oracle.ended.iter().filter(|ended| has(&ended.seen[operation.shard])).count();
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

fn is_protected(world: &World, operation: &Operation) -> bool {
    let failures = world.oracle.failures() - operation.failures_before;
    let handoffs = world.oracle.handoffs() - operation.handoffs_before;
    let acks = operation.acks as usize;
    let left = (world.profile.settings.handoff_acks as usize).saturating_sub(1);
    let excused = if handoffs > 0 { acks.min(left) } else { acks };
    failures <= excused || world.agents.contains_key(&operation.dot.replica)
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
