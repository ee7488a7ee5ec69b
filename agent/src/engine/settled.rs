//! Which members that are Gone this process has settled.

use baton_replica::ReplicaId;

use crate::engine::Engine;

/// What the operator hears of members that are Gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The set of members that it goes for.
    pub(crate) round: u64,
    /// Of whom no shard lacks anything, by id.
    pub(crate) replicas: Vec<ReplicaId>,
}

// === impl Engine ===

impl Engine {
    /// The members that are Gone and of which no shard lacks anything.
    pub(crate) fn settled(&self) -> Settled {
        // Held, so that all shards are asked about the same set of members.
        let roster = self.roster.lock();
        let everywhere = |id: &ReplicaId| self.shards.iter().all(|cell| cell.shard.lock().settled(*id).is_some());
        Settled { round: roster.round(), replicas: roster.gone().filter(everywhere).collect() }
    }
}
