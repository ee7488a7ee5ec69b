//! Invariant 2: a write acknowledged with acks = n (so n + 1 holders) is readable while at most n of them have failed without
//! handing off.
//!
//! Looked at in three steps. When a client is told of n acknowledgements, n others have the write. Who hands it off
//! leaves it with n + 1 others, or with all that it is linked to; and with another than its writer, if there is one. And as
//! long as one of these lives it can be read.

use std::collections::BTreeSet;

use baton_replica::{Entry, MemberPhase, ReplicaId};

use crate::agent::Agent;
use crate::oracle::{Kind, Operation, Seen};
use crate::world::World;

/// When a client is told of n acknowledgements, n other processes have, or had, the write. Returns those that live.
pub(crate) fn check_answer(world: &World, number: usize) -> Result<BTreeSet<ReplicaId>, String> {
    let operation = &world.oracle.operations[number];
    let has = |seen: &Seen| world.oracle.covers(seen, operation.dot);
    // Only those count of whom the writer does not know that they leave.
    let writer = world.agents.get(&operation.dot.replica);
    let counts = |id: ReplicaId| {
        let peer = writer.and_then(|writer| writer.roster.peer(id));
        peer.is_some_and(|peer| peer.phase == MemberPhase::Active)
    };
    let others = world.agents.values().filter(|agent| counts(agent.id));
    let living: BTreeSet<ReplicaId> =
        others.filter(|agent| has(&agent.seen(operation.shard))).map(|agent| agent.id).collect();
    let ended = world.oracle.ended.iter().filter(|ended| counts(ended.id) && has(&ended.seen[operation.shard])).count();
    if living.len() + ended < operation.acks as usize {
        let (dot, acks, living) = (operation.dot, operation.acks, living.len());
        return Err(format!("the client of {dot} is told of {acks} acknowledgements, and {living} others have it"));
    }
    Ok(living)
}

/// Before a process ends that says it has handed off: whatever it had is with as many others as its client was told of
/// holders, if it is linked to so many. Returns those that live, for each write.
pub(crate) fn check_handoff(world: &World, id: ReplicaId) -> Result<Vec<BTreeSet<ReplicaId>>, String> {
    let mut holders = vec![BTreeSet::new(); world.oracle.operations.len()];
    let Some(leaver) = world.agents.get(&id) else { return Ok(holders) };
    let survivors: Vec<ReplicaId> = leaver.roster.survivors().collect();
    let linked = survivors.iter().filter(|survivor| leaver.roster.linked(**survivor)).count();
    // Nobody could know yet that these have ended.
    let unnoticed = world.oracle.ended.iter().filter(|ended| leaver.links.contains_key(&ended.id));
    let unnoticed: Vec<_> = unnoticed.collect();
    for index in 0..leaver.shards.len() {
        let seen = leaver.seen(index);
        let others = world.agents.values().filter(|agent| agent.id != id);
        let others: Vec<(ReplicaId, Seen)> = others.map(|agent| (agent.id, agent.seen(index))).collect();
        for (number, operation) in world.oracle.operations.iter().enumerate() {
            let has = |seen: &Seen| world.oracle.covers(seen, operation.dot);
            if operation.shard != index || operation.lost || !has(&seen) {
                continue;
            }
            holders[number] = others.iter().filter(|(_, seen)| has(seen)).map(|(other, _)| *other).collect();
            let ended = unnoticed.iter().filter(|ended| has(&ended.seen[index])).map(|ended| ended.id);
            let left: BTreeSet<ReplicaId> = holders[number].iter().copied().chain(ended).collect();
            let promised = if operation.acks > 0 { operation.asked as usize + 1 } else { 0 };
            let Operation { dot, asked, .. } = operation;
            if left.len() < promised.min(linked) {
                let left = left.len();
                return Err(format!("{id} leaves {dot} with {left} of {linked} others, and {asked} were asked for"));
            }
            let stays = survivors.contains(&dot.replica) && survivors.len() > 1;
            if stays && left.iter().all(|other| *other == dot.replica) {
                return Err(format!("{id} leaves {dot} with nobody but its writer"));
            }
        }
    }
    Ok(holders)
}

/// When a process that was removed takes operations, or has issued again what it had to: all that it ever held is there.
pub(crate) fn check_return(world: &World, id: ReplicaId) -> Result<(), String> {
    check_held(world, |holders| holders.contains(&id).then_some(id))
}

/// At the end, every write that somebody had and who lives can be read, or was superseded by one that the group knows.
pub(crate) fn check_end(world: &World) -> Result<(), String> {
    if world.agents.values().all(|agent| !agent.holds_state()) {
        return Ok(());
    }
    let lives = |holder: &&ReplicaId| world.agents.contains_key(holder);
    check_held(world, |holders| holders.iter().find(lives).copied())
}

fn check_held(world: &World, who: impl Fn(&BTreeSet<ReplicaId>) -> Option<ReplicaId>) -> Result<(), String> {
    let mut accounted = vec![None; world.oracle.operations.len()];
    for number in 0..world.oracle.operations.len() {
        let operation = &world.oracle.operations[number];
        // An owner may be replaced by another without a trace: that is for the invariant of owners.
        let is_promised = operation.kind != Kind::Own && !operation.excused;
        if let Some(holder) = who(&operation.holders).filter(|_| is_promised)
            && !is_accounted(world, number, &mut accounted)
        {
            let Operation { dot, key, acks, .. } = operation;
            return Err(format!("{dot} of {key:?} is lost: {acks} acknowledgements, and {holder} had it"));
        }
    }
    Ok(())
}

/// Whether a write is alive somewhere, or dead for a reason that the group knows.
fn is_accounted(world: &World, number: usize, accounted: &mut [Option<bool>]) -> bool {
    if let Some(known) = accounted[number] {
        return known;
    }
    // What is being asked about is not asked again, so this ends.
    accounted[number] = Some(false);
    let operation = &world.oracle.operations[number];
    let result = match &operation.made {
        // Who issues again may know a delete that is lost to others.
        None => operation.lost || is_known(world, operation) || is_done(world, number),
        // What has expired is nowhere, and what has not may be dropped by a clock that is ahead.
        Some(version) => version.expires_at.is_some() || is_alive(world, operation),
    };
    let mut later = operation.superseders.iter();
    let result = result || later.any(|later| is_accounted(world, *later, accounted));
    accounted[number] = Some(result);
    result
}

fn is_alive(world: &World, operation: &Operation) -> bool {
    let holds = |entry: &Entry| entry.versions().iter().any(|version| version.dot == operation.dot);
    world.agents.values().any(|agent| entry(agent, operation).is_some_and(|entry| holds(&entry)))
}

/// Whether a delete has arrived anywhere.
fn is_known(world: &World, operation: &Operation) -> bool {
    let seen = |agent: &Agent| world.oracle.covers(&agent.seen(operation.shard), operation.dot) && !operation.lost;
    let held = |agent: &Agent| entry(agent, operation).is_some_and(|entry| operation.is_held(&entry));
    world.agents.values().any(|agent| seen(agent) || held(agent))
}

/// Whether a delete that some living process had has left nothing of what it deleted: it may be forgotten then.
fn is_done(world: &World, number: usize) -> bool {
    let operation = &world.oracle.operations[number];
    let mut deleted = world.oracle.operations.iter().filter(|old| old.superseders.contains(&number));
    operation.holders.iter().any(|holder| world.agents.contains_key(holder)) && deleted.all(|old| !is_alive(world, old))
}

fn entry(agent: &Agent, operation: &Operation) -> Option<Entry> {
    agent.entry(operation.shard, &operation.key)
}
