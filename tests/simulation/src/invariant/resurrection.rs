//! Invariant 4: a deleted key does not come back unless it is written again, no matter how late a message or a replica
//! returns.
//!
//! A process that has seen a write superseded never shows it again, and what a process once showed and then did not does
//! not return there.

use std::collections::{BTreeMap, BTreeSet};

use baton_replica::{Dot, ReplicaId};

use crate::invariant::live_dots;
use crate::world::World;

/// What each process has shown, by shard.
#[derive(Debug, Default)]
pub(crate) struct History {
    shown: BTreeMap<(ReplicaId, usize), Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    alive: BTreeSet<Dot>,
    dead: BTreeSet<Dot>,
}

pub(crate) fn check(world: &World, history: &mut History) -> Result<(), String> {
    for (id, agent) in &world.agents {
        for (index, shard) in agent.shards.iter().enumerate() {
            let alive = live_dots(shard);
            let seen = agent.seen(index);
            for dot in &alive {
                let operation = world.oracle.operation(index, *dot).ok_or_else(|| format!("nobody wrote {dot}"))?;
                if let Some(killer) =
                    world.oracle.superseders(operation).find(|later| world.oracle.covers(&seen, later.dot))
                {
                    let killer = killer.dot;
                    return Err(format!("{id} holds {dot} of {:?} and has seen {killer} over it", operation.key));
                }
            }
            let shown = history.shown.entry((*id, index)).or_default();
            if let Some(dot) = alive.intersection(&shown.dead).next() {
                return Err(format!("{dot} came back at {id}"));
            }
            shown.dead.extend(shown.alive.difference(&alive));
            shown.alive = alive;
        }
    }
    Ok(())
}
