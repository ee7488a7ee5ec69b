//! Invariant 6: a counter's value is the sum of the increments that were accepted and not lost by rule 2.
//!
//! Each addition is in one version at most: what one version has taken over, no other one counts. That none is missing
//! follows from the others: a version is there until what took its place is, and each holds the exact sum of what it took
//! over, which is looked at when it is made.

use std::collections::BTreeSet;

use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for (id, agent) in &world.agents {
        for (index, shard) in agent.shards.iter().enumerate() {
            for (key, entry) in shard.entries().filter(|(_, entry)| entry.versions().len() > 1) {
                let mut counted = BTreeSet::new();
                for version in entry.versions() {
                    let Some(operation) = world.oracle.operation(index, version.dot) else { continue };
                    for addition in &operation.additions {
                        if !counted.insert(*addition) {
                            let dot = world.oracle.operations[*addition].dot;
                            return Err(format!("{id} counts {dot} of {key:?} twice: {entry:?}"));
                        }
                    }
                }
            }
        }
    }
    Ok(())
}
