//! Invariant 1: replicas with equal clocks and memberships, no exceptions and no transfer under way have equal live state
//! (but for what expires) and equal digests.
//!
//! Checked against the truth: such a replica holds exactly the writes that it has seen and that no write that it has seen
//! supersedes. So no clock claims what the replica does not hold, and nothing lives that it has seen die. What was lost
//! with its process is compared between them.

use baton_replica::Dot;

use crate::invariant::digest::lasting;
use crate::invariant::{has_exceptions, live_dots};
use crate::world::{Corruption, World};

pub(crate) fn check(world: &World) -> Result<(), String> {
    if world.corruption == Corruption::Present {
        return Ok(());
    }
    for (id, agent) in &world.agents {
        for (index, shard) in agent.shards.iter().enumerate() {
            if shard.digest_mismatches() > 0 && world.corruption == Corruption::None {
                return Err(format!("shard {index} of {id} has found that a peer holds something else"));
            }
            let seen = agent.seen(index);
            if shard.is_joining() || shard.is_rejoining() || has_exceptions(&world.oracle, shard, &seen) {
                continue;
            }
            let (state, truth) = (live_dots(shard), world.oracle.truth(index, &seen));
            let lacks: Vec<&Dot> = truth.must.difference(&state).collect();
            let has: Vec<&Dot> = state.difference(&truth.must).filter(|dot| !truth.may.contains(dot)).collect();
            if !lacks.is_empty() || !has.is_empty() {
                return Err(format!("shard {index} of {id} lacks {lacks:?} and has {has:?} beyond what it claims"));
            }
        }
    }
    batches(world)?;
    digests(world)?;
    contents(world)
}

/// Everybody has all writes of a batch or none, unless its origin was lost with a part of them.
fn batches(world: &World) -> Result<(), String> {
    for (shard, origin, first, last) in &world.oracle.batches {
        for (id, agent) in &world.agents {
            let seen = agent.shards[*shard].clock().get(*origin);
            let gone = agent.roster.gone().any(|gone| gone == *origin);
            if seen >= *first && seen < *last && !gone {
                return Err(format!("{id} has seen {origin} up to {seen}, within a batch from {first} to {last}"));
            }
        }
    }
    Ok(())
}

/// Whoever may compare must find the same.
fn digests(world: &World) -> Result<(), String> {
    for index in 0..world.profile.shards {
        let mut comparable = Vec::new();
        for (id, agent) in &world.agents {
            let shard = &agent.shards[index];
            comparable.extend(shard.digest().map(|digest| (id, shard, digest)));
        }
        for (at, (id, shard, digest)) in comparable.iter().enumerate() {
            for (other, peer, theirs) in &comparable[..at] {
                let same = digest.membership == theirs.membership
                    && digest.clock == theirs.clock
                    && shard.founders() == peer.founders();
                if same && (digest.sum != theirs.sum || lasting(shard) != lasting(peer)) {
                    return Err(format!("shard {index} of {id} and {other} have seen the same and differ"));
                }
            }
        }
    }
    Ok(())
}

/// What is stored is what was written.
fn contents(world: &World) -> Result<(), String> {
    for (id, agent) in &world.agents {
        for (index, shard) in agent.shards.iter().enumerate() {
            for (key, entry) in shard.entries() {
                for version in entry.versions() {
                    let operation = world.oracle.operation(index, version.dot);
                    let written = operation.filter(|operation| operation.key == key);
                    let same = written.and_then(|operation| operation.made.as_ref()).is_some_and(|made| {
                        (made.hlc, made.writer, made.added, made.expires_at, &made.value)
                            == (version.hlc, version.writer, version.added, version.expires_at, &version.value)
                    });
                    if !same {
                        return Err(format!("{id} holds {version:?} in {key:?}, which nobody wrote"));
                    }
                }
            }
        }
    }
    Ok(())
}
