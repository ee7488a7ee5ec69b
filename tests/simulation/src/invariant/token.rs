//! Part of invariant 8: whoever has seen a token takes no earlier one of the same key again.
//!
//! What a replica shows as the owner of a key comes after all that it has shown before: by its token, and who has
//! confirmed after who has not. It may show less once the ownership may have ended somewhere, with the key: a put that
//! had seen neither that owner nor the end survives, and shows the owner that it knew.

use baton_replica::{Change, Owner, ReplicaId};

use crate::oracle::height;
use crate::world::World;

/// When what a replica shows of a key changes.
pub(crate) fn check(world: &World, id: ReplicaId, shard: usize, change: &Change) -> Result<(), String> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return Ok(()) };
    let Some(owner) = before.owner else { return Ok(()) };
    if after.owner.as_ref().map(height) >= Some(height(&owner)) || has_ended(world, shard, change, &owner) {
        return Ok(());
    }
    Err(format!("{id} has shown {owner:?} of {:?}, and shows {:?} after that", change.key, after.owner))
}

fn has_ended(world: &World, shard: usize, change: &Change, owner: &Owner) -> bool {
    let saying = world.oracle.saying(shard, &change.key, owner);
    saying.is_none_or(|saying| world.oracle.may_have_ended(saying))
}
