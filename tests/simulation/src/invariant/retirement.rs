//! Part of invariants 3 and 7: nobody is forgotten who is not retired.
//!
//! A clock entry goes with a list only if all members have settled its replica, as far as any operator of the group could
//! know, and the operator has ceased to list it for that: an object that was made anew by one who has not heard of everybody
//! yet leaves others out, and that is no word of their end.

use baton_replica::VersionVector;

use crate::agent::Agent;
use crate::oracle::Oracle;

/// When a replica has taken a list.
pub(crate) fn check(oracle: &Oracle, before: &[VersionVector], agent: &Agent) -> Result<(), String> {
    for (index, (before, shard)) in before.iter().zip(&agent.shards).enumerate() {
        let mut forgotten =
            before.iter().map(|(replica, _)| replica).filter(|replica| shard.clock().get(*replica) == 0);
        if let Some(replica) = forgotten.find(|replica| !oracle.retired.contains_key(replica)) {
            let number = agent.list_number();
            return Err(format!(
                "{} forgets {replica} in shard {index} by list {number}, and nobody has retired it",
                agent.id
            ));
        }
    }
    Ok(())
}
