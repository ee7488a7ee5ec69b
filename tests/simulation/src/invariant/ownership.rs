//! Invariant 8: with stable membership, each owned key ends with exactly one owner, and that owner is a member.
//!
//! Each ownership has a fencing token above all that its giver knew of for the key. At the end each key shows the last of
//! all that was said of its owner, an app's confirmation too, and that somebody who lives has seen: a put that had not
//! seen it does not undo it. It may show less only if what was said may have ended with the key, by a delete or a deadline
//! that the author of what was said had not seen.

use std::collections::BTreeMap;

use baton_replica::{Dot, Entry, Key, ReplicaId, WriteError};

use crate::agent::Agent;
use crate::oracle::{Adopted, Seen, height};
use crate::world::World;

/// A new ownership, when it is given.
pub(crate) fn check_token(world: &World, shard: usize, seen: &Seen, dot: Dot, entry: &Entry) -> Result<(), String> {
    let Some(owner) = entry.owner().filter(|owner| owner.dot == dot) else { return Ok(()) };
    let Some(mine) = world.oracle.operation(shard, dot) else { return Ok(()) };
    for (saying, operation) in world.oracle.sayings(shard, &mine.key) {
        let before = !operation.lost && operation.dot != dot && world.oracle.covers(seen, operation.dot);
        if before && saying.owner.token >= owner.token {
            let token = saying.owner.token;
            return Err(format!("{dot} gives the token {}, after {token} of {}", owner.token, operation.dot));
        }
    }
    Ok(())
}

/// When an app's word is refused: its agent shows another owner.
pub(crate) fn check_refused(world: &World, adopted: &Adopted, error: &WriteError) -> Result<(), String> {
    let Adopted { by, shard, key, token } = adopted;
    let Some(agent) = world.agents.get(by) else { return Ok(()) };
    let read = agent.shards[*shard].get(key, world.wall(*by)).ok().flatten();
    let shows = read.and_then(|read| read.owner).as_ref().and_then(baton_replica::Token::of) == Some(*token);
    match error {
        WriteError::Joining | WriteError::Sealed => Ok(()),
        WriteError::Condition { .. } if !shows => Ok(()),
        WriteError::Condition { .. } | WriteError::Refused(_) => {
            Err(format!("{by} refuses the word of its app on {key:?} under {token}: {error}"))
        }
    }
}

/// At the end.
pub(crate) fn check_end(world: &World) -> Result<(), String> {
    let mut owners = BTreeMap::new();
    for (id, agent) in &world.agents {
        for (index, shard) in agent.shards.iter().enumerate() {
            if shard.adoption_due() {
                return Err(format!("shard {index} of {id} has owners to look at"));
            }
            for (key, entry) in shard.entries() {
                let owner = entry.owner().and_then(|owner| owner.replica);
                // What expires may be there for some and not for others, the adopter among them.
                let lasting = !expires(world, index, &key);
                if let Some(owner) = owner.filter(|owner| lasting && !stays(world, *owner)) {
                    return Err(format!("{id} holds {owner} as the owner of {key:?}, who is no member"));
                }
                if let Some(dot) = undone(world, index, &key, &entry) {
                    let register = entry.owner();
                    return Err(format!("{id} holds {register:?} of {key:?}, though {dot} came later"));
                }
                if lasting && owners.entry(key.clone()).or_insert(owner) != &owner {
                    return Err(format!("{id} holds {owner:?} as the owner of {key:?}, and others do not"));
                }
            }
        }
    }
    Ok(())
}

/// Whether a key has a version somewhere that expires.
fn expires(world: &World, shard: usize, key: &Key) -> bool {
    let entries = world.agents.values().filter_map(|agent| agent.entry(shard, key));
    entries.flat_map(|entry| entry.versions().to_vec()).any(|version| version.expires_at.is_some())
}

/// What was said of a key's owner after what it shows, and seen by somebody who lives, if it may not show less.
fn undone(world: &World, shard: usize, key: &Key, entry: &Entry) -> Option<Dot> {
    if entry.versions().is_empty() {
        return None;
    }
    let shown = entry.owner().map(height);
    let later = world.oracle.sayings(shard, key).filter(|(saying, _)| Some(height(&saying.owner)) > shown);
    let seen = |dot: Dot| move |agent: &Agent| world.oracle.covers(&agent.seen(shard), dot);
    let mut undone = later.filter(|(saying, operation)| {
        let known = !operation.lost && world.agents.values().any(seen(operation.dot));
        known && !world.oracle.may_have_ended(saying)
    });
    undone.next().map(|(_, operation)| operation.dot)
}

fn stays(world: &World, owner: ReplicaId) -> bool {
    world.agents.get(&owner).is_some_and(|agent: &Agent| !agent.life.leaving())
}
