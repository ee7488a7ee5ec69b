//! Part of invariant 8: what a departed member owned is taken over by one replica, and that one tells its app.
//!
//! Of replicas that know the same members, as far as each is, no two take over a key after the same owner. (Two that know
//! different members may: the greater token wins.) The app beside the one that has taken a key over is told so in the
//! same step, once, with a token that names that replica, and nobody else is told that token. It is told again only if
//! the ownership may have ended and is back with a put that had not seen the end.

use baton_replica::{Key, ReplicaId, Token};

use crate::oracle::{Adopted, Takeover};
use crate::world::World;

/// When a key is taken over.
pub(crate) fn check_taker(world: &World, takeover: &Takeover) -> Result<(), String> {
    let Takeover { shard, key, from, by, members } = takeover;
    let same = |other: &&Takeover| other.shard == *shard && other.key == *key && other.from == *from;
    let rival = world.oracle.takeovers.iter().filter(same).find(|other| other.by != *by && other.members == *members);
    match rival {
        Some(rival) => Err(format!("{by} and {} both take over {key:?} after the owner given by {from}", rival.by)),
        None => Ok(()),
    }
}

/// When an app is told, or not: `made` is what its agent has taken over in this step.
pub(crate) fn check_told(
    world: &World,
    id: ReplicaId,
    made: &[(usize, Key, Token)],
    told: &[Adopted],
) -> Result<(), String> {
    for (shard, key, token) in made {
        let times = told.iter().filter(|one| one.shard == *shard && one.key == *key && one.token == *token).count();
        if times != 1 {
            return Err(format!("{id} has adopted {key:?} under {token}, and tells its app so {times} times"));
        }
    }
    for Adopted { by, shard, key, token } in told {
        let heard = |one: &&Adopted| one.shard == *shard && one.key == *key && one.token == *token;
        if token.by != *by || world.oracle.told.iter().filter(heard).any(|one| one.by != *by) {
            return Err(format!("{by} tells its app of {key:?} under {token}, which is not its own"));
        }
        let is_new = made.iter().any(|(at, one, given)| at == shard && one == key && given == token);
        let given = world.oracle.sayings(*shard, key).find(|(saying, _)| Token::of(&saying.owner) == Some(*token));
        if !is_new && !given.is_some_and(|(saying, _)| world.oracle.may_have_ended(saying)) {
            return Err(format!("{by} tells its app again that it has adopted {key:?} under {token}"));
        }
    }
    Ok(())
}
