//! A hook that returns as acknowledged leaves no owner behind whom its group asks it to wait for; and no other hook is
//! held for owners.
//!
//! To be handed over is each key that the leaver owned when it began to leave (when its hook was called, or a list said
//! that its pod is terminating, whichever came first), and each that its app has claimed since; but for what its app has
//! deleted or released itself. When the hook returns:
//!
//! - `Adopted`: the leaver does not own it any more. What it shows as the owner was given after it, or the key has ended,
//!   or may have ended and was put anew.
//! - `Confirmed`: and nobody is to run it, or the app of the owner that the leaver shows has said that it runs it: there is
//!   a write of that owner which says so.
//!
//! It is about what the leaver has seen: an owner that has crashed a moment ago, or that another has followed unseen, is
//! not its concern, as with coverage. The other way round: a hook that fails though all is covered has still such a key to
//! show, and none fails when there were no faults for a while, since all apps have confirmed by then.

use baton_replica::{Completion, Entry, Key, Owner, Progress, ReplicaId};

use crate::oracle::height;
use crate::world::World;

/// Time without faults in which all are linked again, all have adopted, and all apps have confirmed.
const PATIENCE: u64 = 10_000;

/// When a hook returns as acknowledged.
pub(crate) fn check_returned(world: &World, id: ReplicaId) -> Result<(), String> {
    let Some(agent) = world.agents.get(&id) else { return Ok(()) };
    let completion = agent.completion();
    if completion == Completion::Replicated {
        return Ok(());
    }
    let Some(estate) = &agent.estate else { return Err(format!("{id} is held, and does not leave")) };
    for ((shard, key), owner) in estate {
        let Ok(read) = agent.shards[*shard].get(key, world.wall(id)) else { continue };
        let Some(read) = read else { continue };
        let next = read.owner;
        if next.and_then(|next| next.replica) == Some(id) {
            return Err(format!("{id} is let go, and owns {key:?}"));
        }
        if next.as_ref().map(height) < Some(height(owner)) {
            if is_over(world, *shard, key, owner) {
                continue;
            }
            return Err(format!("{id} is let go: it was {owner:?} of {key:?}, which shows {next:?}"));
        }
        let Some(next) = next.filter(|next| next.replica.is_some()) else { continue };
        if completion == Completion::Confirmed && !is_confirmed(world, *shard, key, &next) {
            return Err(format!("{id} is let go, and the app of {next:?} has not said that it runs {key:?}"));
        }
    }
    Ok(())
}

/// When a hook returns as failed.
pub(crate) fn check_failed(world: &World, id: ReplicaId) -> Result<(), String> {
    let Some(agent) = world.agents.get(&id) else { return Ok(()) };
    let Some(clocks) = &agent.watermark else { return Ok(()) };
    if agent.life.released() || agent.progress_of(clocks) != Progress::Covered {
        return Ok(());
    }
    // What has ended for all whose clocks are ahead has nobody to adopt it before it ends here.
    let expires = |entry: &Entry| entry.versions().iter().any(|version| version.expires_at.is_some());
    let lasts = !agent.shards.iter().flat_map(|shard| shard.entries()).any(|(_, entry)| expires(&entry));
    if lasts && world.over.is_some_and(|over| over + PATIENCE <= world.now) {
        return Err(format!("the hook of {id} fails, and nothing stood in its way: {:?}", agent.estate));
    }
    let completion = agent.completion();
    let waits = |owner: &Owner| match owner.replica {
        Some(replica) => replica == id || !owner.confirmed && completion == Completion::Confirmed,
        None => false,
    };
    let mut entries = agent.shards.iter().flat_map(|shard| shard.entries());
    if completion != Completion::Replicated && entries.any(|(_, entry)| entry.owner().is_some_and(waits)) {
        return Ok(());
    }
    Err(format!("the hook of {id} fails, though survivors have all, and it waits for no owner"))
}

/// Whether the leaver's own ownership may have ended with the key.
fn is_over(world: &World, shard: usize, key: &Key, owner: &Owner) -> bool {
    world.oracle.saying(shard, key, owner).is_none_or(|saying| world.oracle.may_have_ended(saying))
}

/// Whether the app of an owner has said that it runs the key, and the leaver knows it.
fn is_confirmed(world: &World, shard: usize, key: &Key, owner: &Owner) -> bool {
    owner.confirmed && world.oracle.saying(shard, key, owner).is_some()
}
