//! Invariant 8: with stable membership, each owned key ends with exactly one owner, and that owner is a member.
//!
//! Each ownership has a fencing token above all that its giver knew of for the key.

use baton_replica::{Dot, Entry, Key};

use crate::agent::Agent;
use crate::oracle::{Kind, Operation, Seen};
use crate::world::World;

/// A new ownership, when it is given.
pub(crate) fn check_token(world: &World, shard: usize, seen: &Seen, dot: Dot, entry: &Entry) -> Result<(), String> {
    let Some(owner) = entry.owner().filter(|owner| owner.dot == dot) else { return Ok(()) };
    let Some(mine) = world.oracle.operation(shard, dot) else { return Ok(()) };
    for (earlier, token) in &world.oracle.tokens {
        let operation = &world.oracle.operations[*earlier];
        let before = !operation.lost && operation.shard == shard && operation.key == mine.key && operation.dot != dot;
        // Who says again what was given, since a put had not seen it, says it with the same token.
        let same = *token == owner.token && !owner.confirmed;
        if before && world.oracle.covers(seen, operation.dot) && *token >= owner.token && !same {
            return Err(format!("{dot} gives the token {}, after {token} of {}", owner.token, operation.dot));
        }
    }
    Ok(())
}

/// At the end.
pub(crate) fn check_end(world: &World) -> Result<(), String> {
    let mut owners = std::collections::BTreeMap::new();
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
                if let Some(register) = entry.owner().copied()
                    && let Some(dot) = lost_claim(world, index, &key, register.token)
                {
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

/// An ownership that was given after this one, that somebody who lives has seen, and that was forgotten. A delete, or an end in time, takes the owners
/// with it that it has not seen: of a key that had one, nothing can be said.
fn lost_claim(world: &World, shard: usize, key: &Key, token: u64) -> Option<Dot> {
    let ended = |one: &Operation| {
        let same = one.shard == shard && one.key == *key;
        same && match &one.made {
            Some(version) => version.expires_at.is_some(),
            None => one.kind != Kind::Own || world.releases_owned(),
        }
    };
    if world.oracle.operations.iter().any(ended) {
        return None;
    }
    let later = world.oracle.tokens.iter().filter(|(_, later)| *later > token).map(|(number, _)| *number);
    let later = later.filter(|number| {
        let later = &world.oracle.operations[*number];
        let seen = |agent: &Agent| world.oracle.covers(&agent.seen(shard), later.dot);
        later.shard == shard && later.key == *key && !later.lost && world.agents.values().any(seen)
    });
    let token = |number: &usize| world.oracle.tokens.iter().find(|(one, _)| one == number).map(|(_, token)| *token);
    Some(world.oracle.operations[later.max_by_key(token)?].dot)
}

fn stays(world: &World, owner: baton_replica::ReplicaId) -> bool {
    world.agents.get(&owner).is_some_and(|agent: &Agent| !agent.life.leaving())
}
