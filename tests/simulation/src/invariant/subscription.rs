//! Who follows the changes of a replica, from its beginning, knows at any time what is there: each change goes on from the
//! one before it, and what the last one of each key has left is what the replica holds of it.

use std::collections::BTreeMap;

use baton_replica::{Change, Entry, Key, Shard, State};

use crate::world::World;

/// What a watcher knows of a shard.
pub(crate) type Known = BTreeMap<Key, State>;

/// When a watcher hears of a change.
pub(crate) fn follow(known: &mut Known, change: &Change) -> Result<(), String> {
    let before = known.get(&change.key);
    if before != change.before.as_ref() {
        return Err(format!("{change:?} comes after {before:?}"));
    }
    if change.before == change.after {
        return Err(format!("{change:?} changes nothing"));
    }
    match &change.after {
        Some(after) => drop(known.insert(change.key.clone(), after.clone())),
        None => drop(known.remove(&change.key)),
    }
    Ok(())
}

/// At any time.
pub(crate) fn check(world: &World) -> Result<(), String> {
    for (id, agent) in &world.agents {
        for (index, (shard, known)) in agent.shards.iter().zip(&agent.known).enumerate() {
            compare(shard, known).map_err(|error| format!("shard {index} of {id}: {error}"))?;
        }
    }
    Ok(())
}

fn compare(shard: &Shard, known: &Known) -> Result<(), String> {
    let mut live = 0;
    for (key, entry) in shard.entries() {
        let told = known.get(&key);
        if !is_told(&entry, told) {
            return Err(format!("{key:?} is {entry:?}, and watchers were told {told:?}"));
        }
        live += usize::from(told.is_some());
    }
    if live == known.len() { Ok(()) } else { Err(format!("watchers were told of more than is there: {known:?}")) }
}

fn is_told(entry: &Entry, told: Option<&State>) -> bool {
    let (Some(winner), Some(told)) = (entry.versions().first(), told) else {
        return told.is_none() && entry.versions().is_empty();
    };
    Some(&told.value) == entry.value().as_ref()
        && Some(&told.tag) == entry.tag().as_ref()
        && told.owner.as_ref() == entry.owner()
        && told.expires_at == winner.expires_at
}
