//! Invariant 3: a pod whose handoff is reported acknowledged leaves no write behind: survivors cover its whole VV.
//!
//! As many others as the group asks for have seen all of it, each of whom has said so while it was not leaving, and after
//! it had heard that this one leaves: so it stays, or began to leave later than this one. (Two that count each other are
//! both gone in the end; a chain of those who began later ends with one that stays.)
//!
//! What it held under a former id it has issued again before.
//!
//! Each shard may have survivors of its own. One that has ended since it was last asked counts as long as nobody could
//! know: that is a failure, not a lie; so is the end of one to whom a survivor had handed off meanwhile. And what a
//! person has given up is never reported as acknowledged.

use baton_replica::{ReplicaId, Shard, VersionVector};

use crate::agent::Agent;
use crate::oracle::{Ended, Seen};
use crate::world::World;

/// Before a process ends that says it has handed off: everything that it has seen is with others.
pub(crate) fn check_exit(world: &World, id: ReplicaId) -> Result<(), String> {
    let Some(agent) = world.agents.get(&id) else { return Ok(()) };
    check(world, agent, &agent.clocks())
}

/// When a hook returns: so is everything that was known when it was called.
pub(crate) fn check_hook(world: &World, id: ReplicaId) -> Result<(), String> {
    let Some(agent) = world.agents.get(&id) else { return Ok(()) };
    let Some(clocks) = &agent.watermark else { return Err(format!("the hook of {id} returns without a watermark")) };
    check(world, agent, clocks)
}

fn check(world: &World, agent: &Agent, clocks: &[VersionVector]) -> Result<(), String> {
    let id = agent.id;
    if agent.life.released() {
        return Err(format!("{id} says that it has handed off, and a person has given that up"));
    }
    let inherited: usize = agent.shards.iter().map(Shard::inherited).sum();
    if inherited > 0 {
        return Err(format!("{id} says that it has handed off, with {inherited} keys to be issued again"));
    }
    let stayed = |left: Option<u64>| left.is_none_or(|left| Some(left) > agent.left);
    let living = world.agents.values().filter(|other| other.id != id && stayed(other.left));
    let living: Vec<&Agent> = living.filter(|other| other.shards.iter().all(|shard| !shard.is_joining())).collect();
    let was_asked = |ended: &Ended| ended.at > agent.asked;
    let unnoticed = |ended: &&Ended| agent.links.contains_key(&ended.id) && stayed(ended.left) && was_asked(ended);
    let ended: Vec<&Ended> = world.oracle.ended.iter().filter(unnoticed).collect();
    // A part of a state that never came is nobody's.
    let holds_any = |shard: &Shard| !shard.is_joining() && shard.remembered_keys() > 0;
    let needed = world.profile.settings.handoff_acks.max(1) as usize;
    for (index, clock) in clocks.iter().enumerate().filter(|(index, _)| holds_any(&agent.shards[*index])) {
        let founders = agent.seen(index).founders;
        // Of what retired replicas wrote no clock says anything: who has all of it has it from the same founders.
        let has_all = |other: &Seen| founders.is_subset(&other.founders) && world.oracle.covers_all(other, clock);
        let living = living.iter().filter(|other| has_all(&other.seen(index))).count();
        let survivors = living + ended.iter().filter(|ended| has_all(&ended.seen[index])).count();
        // Whoever handed off what it had got has left it with somebody who lives, or has failed since, linked or not.
        let held = world.agents.values().any(|other| other.id != id && has_all(&other.seen(index)));
        let since = world.oracle.ended.iter().skip_while(|ended| !(unnoticed(ended) && has_all(&ended.seen[index])));
        let failed = || since.clone().any(|ended| !ended.handed_off && has_all(&ended.seen[index]));
        if survivors < needed || !(held || failed()) {
            return Err(format!(
                "{id} says that it has handed off {clock:?} of shard {index}: {survivors} have it, of {needed}"
            ));
        }
    }
    Ok(())
}
